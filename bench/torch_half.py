"""accuracy.py --train: sCD in PyTorch (Lu and Song, arXiv 2410.11081), in fp32, bf16 and fp16.

The teacher is a model of points, and the student starts as a copy of it. The tangent is
    g = -cos^2 t (F - v) - r cos t sin t x - r dF,   g / (|g| + 0.1),   loss = |F_theta - F - g|^2,
where v is the teacher's F, r rises from 0 to 1 over a third of the run, and dF is
cos t sin t dF/dt, computed as one tangent, or as dF/dt and then multiplied in float32. Networks run
under autocast; weights, loss and everything else are float32. In fp16 GradScaler scales the loss,
and skips a step whose gradient is not finite. The job is JSON in argv, the answer JSON on stdout.
"""
import json
import math
import sys
import tempfile

import torch

from torch_accuracy import LOW, clean, model_of_file, rearranged, torch_side

P_MEAN, P_STD = -1.0, 1.4  # of ln(tan(t) sigma_data)


def flow(net, x, steps=64):
    """The end of the teacher's flow from pure noise x, by Heun's method in even steps of t."""
    t = torch.linspace(math.atan(160), 0, steps + 1)
    for a, b in zip(t, t[1:]):
        d = net(x, a.expand(len(x)))
        to = (a - b).cos() * x - (a - b).sin() * d
        e = net(to, b.expand(len(x)))
        x = x + (b - a) * (d + e) / 2
    return x


def distance(net, noise, end):
    """Root mean square distance of one-step samples from the end of the flow, over sigma_data."""
    with torch.no_grad():
        t = torch.full([len(noise)], math.atan(160))
        out = t[0].cos() * noise - t[0].sin() * net(noise, t)
    return (out - end).square().sum(1).mean().sqrt().item()


def draw(x0, generator, sigma_data):
    pick = torch.randint(len(x0), [len(x0)], generator=generator)
    z = torch.randn(x0.shape, generator=generator)
    t = (torch.randn(len(x0), generator=generator) * P_STD + P_MEAN).exp().div(sigma_data).atan()
    cos, sin = t.cos()[:, None], t.sin()[:, None]
    return cos * x0[pick] + sin * z, t, cos, sin


def tangent(net, q, cs, precision, form):
    if form == 'rearranged':
        return torch_side(net, rearranged(q, cs), None, precision)
    found = torch_side(net, q, None, precision)
    return dict(found, dy=found['dy'] * cs[:, None])


def train(job, load, x0, precision, form):
    """Trains a student. Counts steps whose tangent, or whose gradient, is not finite."""
    torch.manual_seed(0)
    teacher, net = load(), load()
    net.learn()
    adam = torch.optim.RAdam(net.parameters(), lr=1e-4, betas=(0.9, 0.99))
    scaler = torch.amp.GradScaler('cpu', enabled=precision == 'fp16')
    generator, lost, skipped = torch.Generator().manual_seed(3), 0, 0
    noise = torch.randn(512, x0.shape[1], generator=generator)
    for step in range(job['steps']):
        x, t, cos, sin = draw(x0, generator, net.data['sigma_data'])
        with torch.no_grad():
            v = teacher(x, t)
        q = {'x': x, 't': t, 'dx': v, 'dt': torch.ones_like(t)}
        now = {k: v.float() for k, v in tangent(net, q, (cos * sin)[:, 0], precision, form).items()}
        r = min(1, 3 * step / job['steps'])
        g = -cos ** 2 * (now['y'] - v) - r * (cos * sin * x + now['dy'])
        lost += not bool(now['dy'].isfinite().all())
        g = g / (g.square().mean(dim=1, keepdim=True).sqrt() + 0.1)
        with torch.autocast('cpu', dtype=LOW.get(precision), enabled=precision in LOW):
            y = net(x, t)
        loss = (y.float() - now['y'] - g).square().mean()
        adam.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(adam)
        finite = all(bool(p.grad.isfinite().all()) for p in net.parameters() if p.grad is not None)
        skipped += not finite
        if finite or precision != 'fp16':
            scaler.step(adam)
        scaler.update()
    with torch.no_grad():
        end = flow(teacher, noise)
    return {'lost': lost, 'skipped': skipped, 'scale': scaler.get_scale(),
            'distance': distance(net.float(), noise, end),
            'before': distance(teacher, noise, end)}


def main():
    job, results = json.loads(sys.argv[1]), []
    torch.set_num_threads(job['threads'])
    with tempfile.TemporaryDirectory() as folder:
        for name, path in job['networks']:
            net, shape, data = model_of_file(job, path, folder)
            x0, _ = clean(job, name, path, shape, data, folder)
            frequencies = net.frequencies.numpy().copy()

            def load():
                return type(net)(path, frequencies).float()
            for precision in job['precisions']:
                for form in job['forms']:
                    found = train(job, load, x0.float(), precision, form)
                    about = {'network': name, 'precision': precision, 'form': form}
                    results.append({**about, **found})
    print(json.dumps({'version': torch.__version__, 'results': results}))


if __name__ == '__main__':
    main()
