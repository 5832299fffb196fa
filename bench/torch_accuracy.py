"""PyTorch's side of accuracy.py: computes F and its tangent in several precisions, runs few on the
same weights and inputs, and compares both with float64. The job is JSON in argv, the answer JSON on
stdout.

PyTorch's low precision is autocast: products and convolutions take factors in bf16 or fp16 and give
results in it; weights stay in float32. One thing differs, in its favour: group norms take and give
float32, as autocast does it on a GPU. On the CPU their value is bf16 but its tangent float32, and
the convolution that follows refuses the pair.
"""
import contextlib
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.autograd.forward_ad as forward_ad
from torch.overrides import TorchFunctionMode

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'test', 'diffusion', 'net'))
sys.dont_write_bytecode = True
import torch_model  # noqa: E402
import torch_reference as reference  # noqa: E402

LOW = {'bf16': torch.bfloat16, 'fp16': torch.float16}
NORMS = (torch.nn.functional.group_norm, torch.group_norm)
RANDOM = {'unet64': (reference.UNet, reference.UNET), 'dit': (reference.DiT, reference.DIT),
          'dit-bf16': (reference.DiT, reference.DIT)}


class WideNorms(TorchFunctionMode):
    """Group norms in float32 at least."""
    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in NORMS:
            args = (torch_model.wide(args[0]), *args[1:])
        return function(*args, **(kwargs or {}))


class Largest(TorchFunctionMode):
    """The largest tangent on the way, for each row of the batch."""
    def __init__(self, rows):
        super().__init__()
        self.at = torch.zeros(rows, dtype=torch.float64)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.is_floating_point() and out.dim():
            tangent = forward_ad.unpack_dual(out).tangent
            if tangent is not None and tangent.shape[0] == len(self.at):
                each = tangent.abs().reshape(len(self.at), -1).amax(1)
                self.at = torch.maximum(self.at, each.double())
        return out


# ---- models and inputs ----

def random_model(name, path):
    """A network of torch_reference.py with random weights in every tensor, and its file."""
    kind, options = RANDOM[name]
    torch.manual_seed(0)
    net = kind(options)
    if name == 'dit-bf16':  # else positions in float32 promote the sums of all blocks
        positions = net.positions
        net.positions = lambda side, x: (positions(side, x) if x.dtype == torch.float64 or not
                                         torch.is_autocast_cpu_enabled() else
                                         positions(side, x).to(torch.bfloat16))
    with torch.no_grad():
        for key, p in net.named_parameters():
            if 'norm' in key:
                p += 0.3 * torch.randn_like(p)
    reference.write(path, net, {})
    o = net.o
    return net, [o['c'], o['side'], o['side']], None


def model_of_file(job, path, folder):
    """The network of a model file, and its data as few samples it."""
    _, meta = torch_model.read(path)
    data = json.loads(meta['few'])['data']
    points = data['kind'] == 'points'
    shape = [data['d']] if points else [data['c'], data['h'], data['w']]
    ask = {'x': np.zeros([1] + (shape if points else shape[1:] + shape[:1]), '<f4'),
           't': np.zeros(1, '<f4'), 'label': np.full(1, -1, '<i4'), 'dt': np.ones(1, '<f4')}
    ask['dx'] = ask['x']
    constants, _ = run_few(job, path, ask, 'fp32', folder)
    return torch_model.Model(path, constants['const/0']), shape, data


def few_samples(job, path, n, folder):
    """n clean images of the model, of unit variance [n,c,h,w] or points [n,d], and labels."""
    out = os.path.join(folder, 'samples.npy')
    how = ['--n', str(n), '--steps', '12', '--sampler', 'dpm2', '--out', out, '--quiet']
    subprocess.run([job['few'], 'sample', path, *how], check=True)
    x = np.load(out).astype(np.float64)
    labels = out.replace('.npy', '.labels.npy')
    return x, np.load(labels).astype('<i4') if os.path.exists(labels) else np.full(n, -1, '<i4')


def clean(job, name, path, shape, data, folder):
    n = job['rows']
    if data is None or data['kind'] == 'points':
        generator = torch.Generator().manual_seed(1)
        x0 = torch.randn([n] + shape, generator=generator, dtype=torch.float64)
        if data:  # the ring of toy:mixture
            angle = torch.arange(n) * (2 * np.pi / 8)
            x0 = 2 ** 0.5 * torch.stack([angle.cos(), angle.sin()], dim=1) + 0.1 * x0
        return x0.double(), None
    x, labels = few_samples(job, path, n, folder)
    x = (x / 127.5 - 1 - data['mean']) * data['scale'] / data['sigma_data']
    return torch.tensor(x).permute(0, 3, 1, 2), torch.tensor(labels)


def question(x0, label, times):
    """Inputs of one batch that has every row at every time, rounded to float32, and cos t sin t.
    The tangent is that of the straight path."""
    n = len(x0)
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(x0.shape, generator=generator, dtype=torch.float64)
    t = torch.tensor(times, dtype=torch.float64).float().double().repeat_interleave(n)
    more = (...,) + (None,) * (x0.dim() - 1)
    cos, sin = t.cos()[more], t.sin()[more]
    x0, z = (v.repeat([len(times)] + [1] * (v.dim() - 1)) for v in (x0, z))
    q = {'x': cos * x0 + sin * z, 't': t, 'dx': cos * z - sin * x0, 'dt': torch.ones_like(t)}
    q = {k: v.float() for k, v in q.items()}
    label = None if label is None else label.repeat(len(times))
    return q, label, (t.cos() * t.sin()).float()


def rearranged(q, cs):
    more = (...,) + (None,) * (q['x'].dim() - 1)
    return dict(q, dx=q['dx'] * cs[more], dt=q['dt'] * cs)


# ---- both sides ----

def run_few(job, path, tensors, precision, folder):
    asked, answered = (os.path.join(folder, name) for name in ('asked', 'answered'))
    torch_model.write(asked, tensors)
    subprocess.run([job['answer'], path, asked, precision, answered], check=True)
    found, meta = torch_model.read(answered)
    return found, meta


def few_side(job, path, q, label, precision, folder):
    def nhwc(v):
        return v.permute(0, 2, 3, 1) if v.dim() == 4 else v
    tensors = {k: nhwc(v).contiguous().numpy().astype('<f4') for k, v in q.items()}
    rows = len(q['t'])
    tensors['label'] = np.full(rows, -1, '<i4') if label is None else label.numpy().astype('<i4')
    found, _ = run_few(job, path, tensors, precision, folder)

    def nchw(v):
        v = torch.tensor(v).double()
        return v.permute(0, 3, 1, 2) if v.dim() == 4 else v
    return {'y': nchw(found['y']), 'dy': nchw(found['dy'])}


def torch_side(net, q, label, precision, modes=()):
    exact = precision == 'f64'
    net = net.double() if exact else net.float()
    q = {k: v.double() if exact else v for k, v in q.items()}
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        if precision in LOW:
            stack.enter_context(torch.autocast('cpu', dtype=LOW[precision]))
            stack.enter_context(WideNorms())
        for mode in modes:
            stack.enter_context(mode)
        stack.enter_context(forward_ad.dual_level())
        x, t = forward_ad.make_dual(q['x'], q['dx']), forward_ad.make_dual(q['t'], q['dt'])
        out = net(x, t) if label is None else net(x, t, label)
        y, dy = forward_ad.unpack_dual(out)
    return {'y': y.double(), 'dy': dy.double()}


# ---- comparisons ----

def apart(a, b):
    """Root mean square of the difference, relative to b; None: a is not finite."""
    off = ((a - b).square().sum() / b.square().sum()).sqrt().item()
    return off if np.isfinite(off) else None


def parts(v, times):
    return v.reshape([len(times), -1] + list(v.shape[1:])).unbind(0)


def compare(job, name, path, folder):
    times = job['times']
    if name in RANDOM:
        path = os.path.join(folder, name)
        net, shape, data = random_model(name, path)
    else:
        net, shape, data = model_of_file(job, path, folder)
    x0, label = clean(job, name, path, shape, data, folder)
    q, label, cs = question(x0, label, times)
    more = (...,) + (None,) * (x0.dim() - 1)
    forms = {'raw': q, 'rearranged': rearranged(q, cs)}
    exact = torch_side(net, forms['rearranged'], label, 'f64')
    forms = {form: forms[form] for form in job['forms']}
    result = {'network': name, 'rows': [{'t': t} for t in times], 'errors': []}
    for form, asked in forms.items():
        largest = Largest(len(asked['t']))
        found = torch_side(net, asked, label, 'fp32', [largest])
        for row, way in zip(result['rows'], parts(largest.at, times)):
            row[form] = {'way': way.max().item()}
        for side, precision in job['sides']:
            if side == 'few' and precision == 'bf16' and x0.dim() == 2:
                continue
            found = (few_side(job, path, asked, label, precision, folder) if side == 'few' else
                     torch_side(net, asked, label, precision))
            dy = found['dy'] * cs[more].double() if form == 'raw' else found['dy']
            for row, y, y1, d, d1 in zip(result['rows'], *(parts(v, times) for v in (
                    found['y'], exact['y'], dy, exact['dy']))):
                row[form][f'{side} {precision}'] = {
                    'y': apart(y, y1), 'dy': apart(d, d1),
                    'lost': (~d.reshape(len(d), -1).isfinite()).any(1).double().mean().item()}
    return result


def main():
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job['threads'])
    with tempfile.TemporaryDirectory() as folder:
        results = [compare(job, name, path, folder) for name, path in job['networks']]
    print(json.dumps({'version': torch.__version__, 'results': results}))


if __name__ == '__main__':
    main()
