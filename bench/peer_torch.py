"""PyTorch's side of peers.py: runs one case. The job is JSON in argv, the result goes to stdout.

The step of `train` is the loss of flow matching, backward, Adam and an average of the weights. That
of `sct` is the usual implementation of sCM (Lu and Song, arXiv 2410.11081) in a framework: F and
its tangent by forward mode without a graph, then F a second time with a graph,
    g = -cos^2 t (F - dx/dt) - cos t sin t x - dF,  g / (|g| + 0.1),  loss = |F_theta - F - g|^2,
where dF is the tangent along (cos t sin t dx/dt, cos t sin t); backward, Adam, average.

On a GPU it uses channels last, a fused Adam, cuDNN's search for algorithms, autocast for bf16, and
scaled_dot_product_attention, except in forward mode, which that does not support. With --compile
the network is compiled, but not its tangent.
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

WARM_UP = 2


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
        elif name == 'convolution_backward':  # by x and by the weights, if requested
            self.flop += 2 * args[0].numel() * args[2][0].numel() * sum(args[-1][:2])
        return out


class Steps:
    def __init__(self, job, batch):
        torch.manual_seed(0)
        kind = reference.UNet if job['net'] == 'unet' else reference.DiT
        self.net = kind(job['options'])
        self.x, self.t, self.dx = reference.draw(self.net, batch, torch.float32)
        self.cast = contextlib.nullcontext
        how = {'foreach': True}
        if job['device'] == 'cuda':
            self.to_gpu(job['precision'])
            how = {'fused': True}
        self.params = list(self.net.parameters())
        self.adam = torch.optim.Adam(self.params, lr=1e-5, **how)
        self.average = [p.detach().clone() for p in self.params]
        self.fast = torch.compile(self.net) if job['compile'] else self.net

    def to_gpu(self, precision):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != 'fp32'
        torch.backends.cudnn.benchmark = True
        self.net = self.net.to('cuda', memory_format=torch.channels_last)
        self.x, self.dx = (v.to('cuda', memory_format=torch.channels_last) for v in (self.x, self.dx))
        self.t = self.t.to('cuda')
        if precision == 'bf16':
            self.cast = lambda: torch.autocast('cuda', dtype=torch.bfloat16)

    def call(self):
        with self.cast():
            return self.fast(self.x, self.t).float()

    def infer(self):
        with torch.no_grad():
            return self.call()

    def jvp(self):
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
        found = set(re.findall(r'(?:[^/ ]+/)?[^/ ]*(?:openblas|libblas|blis|mkl_core)[^/ ]*$', f.read(),
                               re.M))
    found = {name for name in found if not name.startswith('numpy.libs/')}  # not used by PyTorch
    real = {name for name in found if 'libblas.' not in name}  # libblas may only forward calls
    own = re.search(r'BLAS_INFO=(\w+)', torch.__config__.show())
    return ', '.join(sorted(real or found)) or (f'its own {own[1]}' if own else 'its own BLAS')


def attend(q, k, v):
    """Fused attention, except in forward mode, which it does not support."""
    if torch.autograd.forward_ad.unpack_dual(q).tangent is not None:
        return explicit_attend(q, k, v)
    return torch.nn.functional.scaled_dot_product_attention(q, k, v)


explicit_attend = reference.attend


def version(job):
    if job['device'] == 'cuda':
        return f'PyTorch {torch.__version__} on {torch.cuda.get_device_name()}'
    return f'PyTorch {torch.__version__} ({blas()})'


def export(steps, path):
    """Exports the network as ONNX. The exporter of PyTorch 2.9 and later writes one version of the
    operators, and a conversion to an older version may not load. The one before has an argument for it."""
    dynamo = inspect.signature(torch.onnx.export).parameters.get('dynamo')
    version = {} if dynamo and dynamo.default else {'opset_version': 16}
    torch.onnx.export(steps.net.eval(), (steps.x, steps.t), path, input_names=['x', 't'],
                      output_names=['y'], **version)


def describe(job):
    """Returns the version and the GFLOP of the steps for one image. Exports the network if requested."""
    about = version(job)
    job = dict(job, device='cpu', compile=False)  # on the CPU all products are counted
    gflop, steps = {}, Steps(job, 1)
    for case in ('infer', 'train'):  # forward mode is not counted: it has twice a forward's products
        with Count() as count:
            getattr(steps, case)()
        gflop[case] = count.flop / 1e9
    gflop['jvp'] = 2 * gflop['infer']
    gflop['sct'] = gflop['jvp'] + gflop['train']
    if job['onnx']:
        export(Steps(job, job['batch']), job['onnx'])
    return {'gflop': gflop, 'version': about}


def measure(job):
    wait = (lambda: None)
    if job['device'] == 'cuda':
        wait, reference.attend = torch.cuda.synchronize, attend
    step, seconds = getattr(Steps(job, job['batch']), job['case']), []
    for i in range(WARM_UP + job['samples']):
        start = time.perf_counter()
        step()
        wait()
        seconds.append(time.perf_counter() - start)
    return {'seconds': seconds[WARM_UP:]}


def main():
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job['threads'])
    print(json.dumps(describe(job) if job['case'] == 'describe' else measure(job)))


main()
