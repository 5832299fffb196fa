"""PyTorch in peers.py: runs one case. The job is JSON in argv, and the result is JSON on stdout.

A step of `train` is the loss of flow matching, backward, Adam and an average of the weights. A step
of `sct` is the usual implementation of sCM (Lu and Song, arXiv 2410.11081) in a framework: F and
its tangent by forward mode without a graph, then F a second time with a graph,
    g = -cos^2 t (F - dx/dt) - cos t sin t x - dF,  g / (|g| + 0.1),  loss = |F_theta - F - g|^2,
where dF is the tangent along (cos t sin t dx/dt, cos t sin t); backward, Adam, average.

A job has settings, whose keys are
  channels_last  images and kernels are stored as NHWC;
  sdpa           attention is scaled_dot_product_attention, which has no forward mode: not for jvp;
  compile        the network is compiled by torch.compile; its tangent is not;
  freeze         the compiled network has its weights as packed constants (inference only).
bf16 is autocast. On a GPU Adam is fused, and cuDNN searches for algorithms.
"""
import contextlib
import inspect
import json
import os
import re
import sys
import time

import torch
from torch.utils._python_dispatch import TorchDispatchMode

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'test', 'diffusion', 'net'))
sys.dont_write_bytecode = True
import torch_reference as reference  # noqa: E402

class Count(TorchDispatchMode):
    """Counts the FLOP of products and convolutions, two per multiply-add, while it is entered."""
    flop = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        name = str(function).split('.')[1]
        if name in ('mm', 'bmm'):
            self.flop += 2 * out.numel() * args[0].shape[-1]
        elif name == 'addmm':
            self.flop += 2 * out.numel() * args[1].shape[-1]
        elif name == 'convolution':
            self.flop += 2 * out.numel() * args[1][0].numel()
        elif name == 'convolution_backward':  # with respect to x and to the weights, if requested
            self.flop += 2 * args[0].numel() * args[2][0].numel() * sum(args[-1][:2])
        return out


class Steps:
    def __init__(self, job, batch, setting):
        torch.manual_seed(0)
        kind = reference.UNet if job['net'] == 'unet' else reference.DiT
        self.net, self.cast = kind(job['options']), contextlib.nullcontext
        self.x, self.t, self.dx = reference.draw(self.net, batch, torch.float32)
        self.place(job, setting)
        self.params = list(self.net.parameters())
        how = {'fused': True} if job['device'] == 'cuda' else {'foreach': True}
        self.adam = torch.optim.Adam(self.params, lr=1e-5, **how)
        self.average = [p.detach().clone() for p in self.params]
        self.attend = fused_attend if setting.get('sdpa') else explicit_attend
        self.fast = torch.compile(self.net) if setting.get('compile') else self.net
        if setting.get('compile'):
            import torch._inductor.config as inductor
            inductor.freezing = bool(setting.get('freeze'))

    def place(self, job, setting):
        device, precision = job['device'], job['precision']
        if device == 'cuda':
            tf32 = precision != 'fp32'
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
            torch.backends.cudnn.benchmark = True
        layout = torch.channels_last if setting.get('channels_last') else torch.contiguous_format
        self.net = self.net.to(device, memory_format=layout)
        self.x, self.dx = (v.to(device, memory_format=layout) for v in (self.x, self.dx))
        self.t = self.t.to(device)
        if precision == 'bf16':
            self.cast = lambda: torch.autocast(device, dtype=torch.bfloat16)

    def call(self):
        reference.attend = self.attend
        with self.cast():
            return self.fast(self.x, self.t).float()

    def infer(self):
        with torch.no_grad():
            return self.call()

    def jvp(self):
        reference.attend = explicit_attend
        with torch.no_grad(), self.cast():
            return reference.answer(self.net, self.x, self.t, self.dx)

    def train(self):
        self.update((self.call() - self.dx).square().mean())

    def sct(self):
        now = {k: v.float() for k, v in self.jvp().items()}
        cos, sin = (v[:, None, None, None] for v in (self.t.cos(), self.t.sin()))
        g = -cos ** 2 * (now['y'] - self.dx) - cos * sin * self.x - now['dy']
        g = g / (g.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() + 0.1)
        self.update((self.call() - now['y'] - g).square().mean())

    def update(self, loss):
        loss.backward()
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        torch._foreach_mul_(self.average, 0.999)
        torch._foreach_add_(self.average, [p.detach() for p in self.params], alpha=0.001)


def blas():
    """The BLAS that this process has loaded."""
    with open('/proc/self/maps') as f:
        found = set(re.findall(r'(?:[^/ ]+/)?[^/ ]*(?:openblas|libblas|blis|mkl_core)[^/ ]*$',
                               f.read(),
                               re.M))
    found = {name for name in found if not name.startswith('numpy.libs/')}  # not used by PyTorch
    real = {name for name in found if 'libblas.' not in name}  # libblas may only forward calls
    own = re.search(r'BLAS_INFO=(\w+)', torch.__config__.show())
    return ', '.join(sorted(real or found)) or (f'its own {own[1]}' if own else 'its own BLAS')


fused_attend, explicit_attend = torch.nn.functional.scaled_dot_product_attention, reference.attend


def version(job):
    if job['device'] == 'cuda':
        return f'PyTorch {torch.__version__} on {torch.cuda.get_device_name()}'
    return f'PyTorch {torch.__version__} ({blas()})'


def export(job, batch, path):
    """Writes the network as ONNX. Since PyTorch 2.9 the exporter writes operators of version 18 or
    later, and its conversions to older versions may not load. Older exporters take the version."""
    steps = Steps(job, batch, {})
    dynamo = inspect.signature(torch.onnx.export).parameters.get('dynamo')
    version = {} if dynamo and dynamo.default else {'opset_version': 16}
    torch.onnx.export(steps.net.eval(), (steps.x, steps.t), path, input_names=['x', 't'],
                      output_names=['y'], **version)


def describe(job):
    """Versions, GFLOP of the steps for one image, and the requested exports."""
    about = version(job)
    job = dict(job, device='cpu', precision='fp32')  # where all products are counted
    gflop, steps = {}, Steps(job, 1, {})
    # Forward mode is not counted: it has twice a forward's products.
    for case in ('infer', 'train'):
        with Count() as count:
            getattr(steps, case)()
        gflop[case] = count.flop / 1e9
    gflop['jvp'] = 2 * gflop['infer']
    gflop['sct'] = gflop['jvp'] + gflop['train']
    for batch, path in job['onnx'].items():
        export(job, int(batch), path)
    return {'gflop': gflop, 'version': about}


def time_steps(job, setting):
    """Seconds of the steps after those that warm up."""
    wait = torch.cuda.synchronize if job['device'] == 'cuda' else lambda: None
    step, seconds = getattr(Steps(job, job['batch'], setting), job['case']), []
    for _ in range(job['warm_up'] + job['samples']):
        start = time.perf_counter()
        step()
        wait()
        seconds.append(time.perf_counter() - start)
    return seconds[job['warm_up']:]


def measure(job):
    """The times of each setting, or its error."""
    results = []
    for setting in job['settings']:
        try:
            results.append({'seconds': time_steps(job, setting)})
        except Exception as e:  # one setting may fail: a compiler that is missing, an operator
            results.append({'error': (str(e).strip().splitlines() or [type(e).__name__])[0]})
    return results


def main():
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job['threads'])
    print(json.dumps(describe(job) if job['case'] == 'describe' else measure(job)))


main()
