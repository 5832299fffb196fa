#!/usr/bin/env python3
"""The U-Net and the DiT of src/diffusion/net in PyTorch, as model files that hold their own
answers.

    torch_reference.py data        the small files that test_torch.c compares with
    torch_reference.py --full DIR  the networks of docs/performance.md, batch 4, in float32;
                                 --exact: the same weights and inputs, answered in float64

A file is a model (docs/format.md) with weights laid out as few has them, and tensors under
reference/: x, t, tangents dx and dt, and what PyTorch makes of them, y and dy. So this is also what
an import of PyTorch weights has to do:
  - kernels OIHW become HWIO, linear weights [out,in] become [in,out], images NCHW become NHWC;
  - one layer that gives (scale, shift) is two here, `scale` and `shift`; likewise the DiT's six;
  - an affine group norm before FiLM is folded into it: with n normalised,
    (g n + b)(1 + s) + a = n g (1 + s) + b (1 + s) + a;
  - an embedding added for "no label" is added to the bias of the time embedding's last layer.
The small files are in float64, with weights of few bits, so that folding is exact and a comparison
in float64 sees every factor. Only PyTorch and NumPy are needed.
"""
import argparse
import json
import math
import os
import struct

import numpy as np
import torch
import torch.autograd.forward_ad as forward_ad
from torch import nn
from torch.nn import functional as F


def sinusoids(t, channels):
    half = channels // 2
    index = torch.arange(half, dtype=t.dtype, device=t.device)
    angle = (1000.0 * t)[:, None] * torch.exp(index * (-math.log(10000.0) / half))
    return torch.cat([angle.cos(), angle.sin()], dim=1)


def attend(q, k, v):
    """Attention on [N,heads,positions,channels]; peer_torch.py replaces it by a fused one."""
    p = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[3]), dim=-1)
    return p @ v


# ---- U-Net ----

class Block(nn.Module):
    def __init__(self, cin, cout, width, groups):
        super().__init__()
        self.norm0 = nn.GroupNorm(groups, cin)
        self.conv0 = nn.Conv2d(cin, cout, 3, padding=1)
        self.film = nn.Linear(width, 2 * cout)
        self.norm1 = nn.GroupNorm(groups, cout)
        self.conv1 = nn.Conv2d(cout, cout, 3, padding=1)
        self.skip = nn.Conv2d(cin, cout, 1) if cin != cout else None

    def forward(self, x, emb):
        h = self.conv0(F.silu(self.norm0(x)))
        scale, shift = self.film(emb)[:, :, None, None].chunk(2, dim=1)
        h = self.conv1(F.silu(self.norm1(h) * (1 + scale) + shift))
        return h + (x if self.skip is None else self.skip(x))


class Attention(nn.Module):
    def __init__(self, channels, head_channels, groups):
        super().__init__()
        self.heads = max(1, channels // head_channels)
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        n, c, h, w = x.shape
        d = c // self.heads
        qkv = self.qkv(self.norm(x)).reshape(n, 3, self.heads, d, h * w).transpose(3, 4)
        return x + self.out(attend(*qkv.unbind(1)).transpose(2, 3).reshape(n, c, h, w))


class UNet(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.o = o
        base, width, groups = o['channels'], 4 * o['channels'], o['groups']
        self.time0 = nn.Linear(base, width)
        self.time1 = nn.Linear(width, width)
        c = base * o['mults'][0]
        self.first = nn.Conv2d(o['c'], c, 3, padding=1)
        side, skips = o['side'], [c]

        def step(cin, cout):
            parts = [Block(cin, cout, width, groups)]
            if side in o['attention']:
                parts.append(Attention(cout, o['head_channels'], groups))
            return nn.ModuleList(parts)

        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        for level, mult in enumerate(o['mults']):
            for _ in range(o['blocks']):
                self.down.append(step(c, base * mult))
                c = base * mult
                skips.append(c)
            if level + 1 < len(o['mults']):
                self.shrink.append(nn.Conv2d(c, c, 3, stride=2, padding=1))
                skips.append(c)
                side //= 2
        self.middle0 = Block(c, c, width, groups)
        self.middle_attention = Attention(c, o['head_channels'], groups)
        self.middle1 = Block(c, c, width, groups)
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(o['mults']))):
            for _ in range(o['blocks'] + 1):
                self.up.append(step(c + skips.pop(), base * o['mults'][level]))
                c = base * o['mults'][level]
            if level > 0:
                self.grow.append(nn.Conv2d(c, c, 3, padding=1))
                side *= 2
        self.out_norm = nn.GroupNorm(groups, c)
        self.out = nn.Conv2d(c, o['c'], 3, padding=1)

    def forward(self, x, t):
        o = self.o
        emb = F.silu(self.time1(F.silu(self.time0(sinusoids(t, o['channels'])))))

        def run(parts, h):
            h = parts[0](h, emb)
            return parts[1](h) if len(parts) > 1 else h

        h = self.first(x)
        skips = [h]
        for level in range(len(o['mults'])):
            for i in range(o['blocks']):
                h = run(self.down[level * o['blocks'] + i], h)
                skips.append(h)
            if level < len(self.shrink):
                h = self.shrink[level](h)
                skips.append(h)
        h = self.middle1(self.middle_attention(self.middle0(h, emb)), emb)
        for level in range(len(o['mults'])):
            for i in range(o['blocks'] + 1):
                h = run(self.up[level * (o['blocks'] + 1) + i], torch.cat([h, skips.pop()], dim=1))
            if level < len(self.grow):
                h = self.grow[level](F.interpolate(h, scale_factor=2.0, mode='nearest'))
        return self.out(F.silu(self.out_norm(h)))


# ---- DiT ----

class DiTBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp0 = nn.Linear(width, 4 * width)
        self.mlp1 = nn.Linear(4 * width, width)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(self, x, emb):
        n, tokens, width = x.shape
        shift0, scale0, gate0, shift1, scale1, gate1 = self.modulation(emb)[:, None].chunk(6, dim=2)
        h = F.layer_norm(x, (width,), eps=1e-6) * (1 + scale0) + shift0
        qkv = self.qkv(h).reshape(n, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        x = x + gate0 * self.out(attend(q, k, v).transpose(1, 2).reshape(n, tokens, width))
        h = F.layer_norm(x, (width,), eps=1e-6) * (1 + scale1) + shift1
        return x + gate1 * self.mlp1(F.gelu(self.mlp0(h), approximate='tanh'))


class DiT(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.o = o
        p, width = o['patch'], o['width']
        self.patch = nn.Conv2d(o['c'], width, p, stride=p)
        self.time0 = nn.Linear(o['embedding'], width)
        self.time1 = nn.Linear(width, width)
        self.label = nn.Embedding(11, width)  # row 10: no label
        self.block = nn.ModuleList(DiTBlock(width, o['heads']) for _ in range(o['depth']))
        self.out_modulation = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, p * p * o['c'])

    def positions(self, side, like):
        quarter, kind = self.o['width'] // 4, {'dtype': like.dtype, 'device': like.device}
        freq = 10000.0 ** -(torch.arange(quarter, **kind) / quarter)
        line = torch.arange(side, **kind)[:, None] * freq
        line = torch.cat([line.sin(), line.cos()], dim=1)
        column, row = line[None].expand(side, -1, -1), line[:, None].expand(-1, side, -1)
        return torch.cat([column, row], dim=2).reshape(1, side * side, -1)

    def forward(self, x, t):
        n, c, p, width = x.shape[0], self.o['c'], self.o['patch'], self.o['width']
        side = self.o['side'] // p
        h = self.patch(x).flatten(2).transpose(1, 2) + self.positions(side, x)
        emb = self.time1(F.silu(self.time0(sinusoids(t, self.o['embedding']))))
        emb = F.silu(emb + self.label.weight[10])
        for block in self.block:
            h = block(h, emb)
        shift, scale = self.out_modulation(emb)[:, None].chunk(2, dim=2)
        h = self.out(F.layer_norm(h, (width,), eps=1e-6) * (1 + scale) + shift)
        h = h.reshape(n, side, side, p, p, c).permute(0, 5, 1, 3, 2, 4)
        return h.reshape(n, c, side * p, side * p)


# ---- to few ----

def matrix(weight):
    """Return a weight [out,in], or a 1x1 kernel, as [in,out]."""
    return weight.reshape(weight.shape[0], -1).T


def put_linear(w, name, layer, rows=slice(None)):
    w[name + '.w'] = matrix(layer.weight[rows])
    w[name + '.b'] = layer.bias[rows]


def put_conv(w, name, layer):
    w[name + '.w'] = layer.weight.permute(2, 3, 1, 0)
    w[name + '.b'] = layer.bias


def put_norm(w, name, layer):
    w[name + '.scale'], w[name + '.shift'] = layer.weight, layer.bias


def put_parts(w, name, *parts):
    """A block, and the attention that may follow it under the same name."""
    b = parts[0]
    put_norm(w, name + '.norm0', b.norm0)
    put_conv(w, name + '.conv0', b.conv0)
    gain, bias = b.norm1.weight, b.norm1.bias
    scale_w, shift_w = matrix(b.film.weight).chunk(2, dim=1)
    scale_b, shift_b = b.film.bias.chunk(2)
    w[name + '.mod.scale.w'], w[name + '.mod.scale.b'] = scale_w * gain, gain * (1 + scale_b) - 1
    w[name + '.mod.shift.w'] = shift_w + scale_w * bias
    w[name + '.mod.shift.b'] = shift_b + (1 + scale_b) * bias
    put_conv(w, name + '.conv1', b.conv1)
    if b.skip is not None:
        put_conv(w, name + '.skip', b.skip)
    for a in parts[1:]:
        put_norm(w, name + '.norm2', a.norm)
        put_linear(w, name + '.attention.qkv', a.qkv)
        put_linear(w, name + '.attention.out', a.out)


def unet_weights(net):
    w, o, levels = {}, net.o, len(net.o['mults'])
    put_linear(w, 'cond.time0', net.time0)
    put_linear(w, 'cond.time1', net.time1)
    put_conv(w, 'in', net.first)
    for i, parts in enumerate(net.down):
        put_parts(w, f"down.{i // o['blocks']}.{i % o['blocks']}", *parts)
    for i, layer in enumerate(net.shrink):
        put_conv(w, f'down.{i}.half.conv', layer)
    put_parts(w, 'middle.0', net.middle0, net.middle_attention)
    put_parts(w, 'middle.1', net.middle1)
    for i, parts in enumerate(net.up):
        level, block = divmod(i, o['blocks'] + 1)
        put_parts(w, f'up.{levels - 1 - level}.{block}', *parts)
    for i, layer in enumerate(net.grow):
        put_conv(w, f'up.{levels - 1 - i}.twice.conv', layer)
    put_norm(w, 'out_norm', net.out_norm)
    put_conv(w, 'out', net.out)
    return w


def dit_weights(net):
    w, d = {}, net.o['width']
    put_linear(w, 'cond.time0', net.time0)
    put_linear(w, 'cond.time1', net.time1)
    w['cond.time1.b'] = w['cond.time1.b'] + net.label.weight[10]
    kernel = net.patch.weight.permute(2, 3, 1, 0)
    w['patch.w'], w['patch.b'] = kernel.reshape(-1, d), net.patch.bias
    for i, b in enumerate(net.block):
        six = ('mod0.shift', 'mod0.scale', 'gate0', 'mod1.shift', 'mod1.scale', 'gate1')
        for k, name in enumerate(six):
            put_linear(w, f'block.{i}.{name}', b.modulation, slice(k * d, k * d + d))
        put_linear(w, f'block.{i}.attention.qkv', b.qkv)
        put_linear(w, f'block.{i}.attention.out', b.out)
        put_linear(w, f'block.{i}.mlp0', b.mlp0)
        put_linear(w, f'block.{i}.mlp1', b.mlp1)
    put_linear(w, 'out_mod.shift', net.out_modulation, slice(0, d))
    put_linear(w, 'out_mod.scale', net.out_modulation, slice(d, 2 * d))
    put_linear(w, 'out', net.out)
    return w


def description(net):
    o, kind = net.o, 'unet' if isinstance(net, UNet) else 'dit'
    if kind == 'unet':
        names = ('channels', 'mults', 'blocks', 'attention', 'head_channels', 'groups')
        more = {'group_channels': '1', 'resample': 'conv', 'skip_scale': '1'}
    else:
        names, more = ('patch', 'width', 'depth', 'heads', 'embedding'), {}
    options = {k: ', '.join(map(str, o[k])) if isinstance(o[k], list) else str(o[k]) for k in names}
    options.update(more, modulation='adagn', time_scale='1000')
    return {'version': 1, 'net': {'name': kind, 'options': options},
            'process': 'trigflow', 'predicts': 'F', 'objective': {'name': 'diffusion'},
            'data': {'kind': 'image', 'h': o['side'], 'w': o['side'], 'c': o['c'],
                     'mean': 0.0, 'scale': 1.0, 'sigma_data': 1.0, 'classes': 0},
            'provenance': {'imported_from': f'torch {torch.__version__}'}}


def write(path, net, reference):
    """reference: x, dx, y, dy [N,C,H,W], t, dt [N]."""
    weights = unet_weights(net) if isinstance(net, UNet) else dit_weights(net)
    tensors = {}
    for name, v in reference.items():
        v = v.detach()
        tensors['reference/' + name] = (v.permute(0, 2, 3, 1) if v.dim() == 4 else v).numpy()
    for name, v in weights.items():
        v = v.detach().numpy()
        half = v.astype('<f2')  # where it is exact
        tensors[name] = half if (half == v).all() else v.astype('<f4')
    tensors = dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize))  # keeps alignment
    header, data = {'__metadata__': {'format': 'few', 'few': json.dumps(description(net))}}, b''
    for name, v in tensors.items():
        v = np.ascontiguousarray(v)
        at = len(data)
        data += v.tobytes()
        header[name] = {'dtype': f'F{8 * v.itemsize}', 'shape': v.shape,
                        'data_offsets': [at, len(data)]}
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + data)


# ---- the references ----

def answer(net, x, t, dx):
    """Value and tangent along (cos t sin t dx, cos t sin t), as sCM's is."""
    dt = t.cos() * t.sin()
    dx = dt[:, None, None, None] * dx
    with torch.no_grad(), forward_ad.dual_level():
        dual = net(forward_ad.make_dual(x, dx), forward_ad.make_dual(t, dt))
        y, dy = forward_ad.unpack_dual(dual)
    return {'x': x, 't': t, 'dx': dx, 'dt': dt, 'y': y, 'dy': dy}


def draw(net, batch, dtype):
    x0 = torch.randn(batch, net.o['c'], net.o['side'], net.o['side'], dtype=dtype)
    z = torch.randn_like(x0)
    t = torch.rand(batch, dtype=dtype) * 1.4 + 0.05
    cos, sin = t.cos()[:, None, None, None], t.sin()[:, None, None, None]
    return cos * x0 + sin * z, t, cos * z - sin * x0


def exactly(name, net, args):
    """Return the result in float64. Print its distance from the result in float32."""
    rough = answer(net, *args)
    exact = answer(net.double(), *(v.double() for v in args))
    for k in ('y', 'dy'):
        rms, d = exact[k].square().mean().sqrt(), rough[k] - exact[k]
        print(f'{name} {k}: float32 to float64 over the rms: '
              f'rms {d.square().mean().sqrt() / rms:.1e}, '
              f'largest {d.abs().max() / rms:.1e}')
    return exact


def coarsen(net):
    """Round weights to few bits, and change norms so that none is the identity."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            if 'norm' in name:
                p += 0.3 * torch.randn_like(p)
            p.copy_((p * 256).round() / 256)


UNET = {'channels': 64, 'mults': [1, 2, 2], 'blocks': 2, 'attention': [16], 'head_channels': 64,
        'groups': 32, 'side': 32, 'c': 3}
DIT = {'patch': 4, 'width': 384, 'depth': 12, 'heads': 6, 'embedding': 256, 'side': 32, 'c': 3}
SMALL_UNET = dict(UNET, channels=8, mults=[1, 2], blocks=1, attention=[4], head_channels=8,
                  groups=4, side=8)
SMALL_DIT = dict(DIT, patch=2, width=16, depth=2, heads=2, embedding=16, side=8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--full', action='store_true', help='the large networks, in float32')
    parser.add_argument('--exact', action='store_true', help='with --full: answers in float64')
    parser.add_argument('folder')
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    dtype = torch.float32 if args.full else torch.float64
    torch.set_default_dtype(dtype)
    for name, kind, o in (('unet', UNet, UNET if args.full else SMALL_UNET),
                          ('dit', DiT, DIT if args.full else SMALL_DIT)):
        torch.manual_seed(0)
        net = kind(o)
        if not args.full:
            coarsen(net)
        path = os.path.join(args.folder, f'torch_{name}.safetensors')
        drawn = draw(net, 4 if args.full else 2, dtype)
        write(path, net, exactly(name, net, drawn) if args.exact else answer(net, *drawn))


if __name__ == '__main__':
    main()
