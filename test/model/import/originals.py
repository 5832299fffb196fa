#!/usr/bin/env python3
"""Networks of EDM, EDM2, OpenAI and DiT, written again from their papers and tensor names, with
golden values for test_originals.c. Needs torch 2.15 and numpy.

    python3 originals.py    writes data/originals/NAME.json and .safetensors for each case, and
                            their configurations and shapes to data/import, for the fuzzer

NAME.json has the configuration, and of each tensor its shape, mean and scale. Its element i is
mean + scale u, where u in [-1, 1) is a hash of name and i (`uniform`), so that networks of any size
need no file. NAME.safetensors has few's own view: x of unit variance [N,h,w,c], t in TrigFlow's
radians, a label, and F, which follows from the network's output by the definition of its process;
of networks with labels of augmentation also these, in few's order, and F with them.
All of it is computed in f64.
"""
import json
import math
import os

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn import functional as f

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, 'data', 'originals')
torch.set_grad_enabled(False)
torch.set_default_dtype(torch.float64)


# ---- Weights that need no file ----

def uniform(name, n):
    h = 0xcbf29ce484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001b3) % 2**64
    with np.errstate(over='ignore'):
        z = np.uint64(h) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1


class Weights:
    """Makes a tensor when a network first uses it."""

    def __init__(self):
        self.about, self.at = {}, {}

    def __call__(self, name, *shape, mean=0.0, scale=None):
        if name not in self.at:
            if scale is None:
                scale = 2.0 ** round(math.log2(2 / math.sqrt(math.prod(shape[1:]))))
            v = mean + scale * uniform(name, math.prod(shape))
            self.about[name] = {'shape': list(shape), 'mean': mean, 'scale': scale}
            self.at[name] = torch.from_numpy(v.astype(np.float32).reshape(shape)).double()
        assert list(self.at[name].shape) == list(shape), name
        return self.at[name]

    def linear(self, name, x, out, bias=True):
        y = x @ self(name + '.weight', out, x.shape[-1]).T
        return y + self(name + '.bias', out, scale=0.25) if bias else y

    def conv(self, name, x, out, kernel, bias=True, **how):
        y = f.conv2d(x, self(name + '.weight', out, x.shape[1], kernel, kernel), **how)
        return y + self(name + '.bias', out, scale=0.25)[:, None, None] if bias else y

    def group_norm(self, name, x, groups, eps):
        c = x.shape[1]
        return f.group_norm(x, groups, self(name + '.weight', c, mean=1.0, scale=0.5),
                            self(name + '.bias', c, scale=0.25), eps)


def waves(x, frequencies):
    angle = x[:, None] * frequencies
    return torch.cat([angle.cos(), angle.sin()], 1)


def sinusoids(x, channels, endpoint=False):
    half = channels // 2
    return waves(x, 10000.0 ** (-torch.arange(half, dtype=torch.float64) / (half - endpoint)))


def attend(q, k, v):
    """[N,heads,channels,positions]"""
    p = torch.softmax(torch.einsum('nhcq,nhck->nhqk', q, k) / math.sqrt(q.shape[2]), 3)
    return torch.einsum('nhqk,nhck->nhcq', p, v)


def resampled(x, taps, how):
    if not how:
        return x
    taps = torch.tensor(taps, dtype=torch.float64)
    taps = torch.outer(taps, taps) / taps.sum() ** 2
    c, pad = x.shape[1], (len(taps) - 1) // 2
    kernel = taps.expand(c, 1, -1, -1)
    if how == 'down':
        return f.conv2d(x, kernel, stride=2, padding=pad, groups=c)
    return f.conv_transpose2d(x, 4 * kernel, stride=2, padding=pad, groups=c)


# ---- EDM (arXiv 2206.00364): SongUNet and DhariwalUNet ----

class Edm:
    def __init__(self, w, song, o):
        self.w, self.song, self.o = w, song, o
        self.skip_scale = math.sqrt(0.5) if song else 1.0
        self.eps = 1e-6 if song else 1e-5
        self.taps = o.get('resample_filter', [1, 1])
        self.augment = torch.zeros(1, o.get('augment_dim', 0))

    def norm(self, name, x):
        return self.w.group_norm(name, x, min(32, x.shape[1] // 4), self.eps)

    def heads(self, channels):
        return 1 if self.song else channels // 64

    def attention(self, name, x):
        n, c, h, w = x.shape
        qkv = self.w.conv(name + '.qkv', self.norm(name + '.norm2', x), 3 * c, 1)
        q, k, v = qkv.reshape(n, self.heads(c), c // self.heads(c), 3, h * w).unbind(3)
        return (x + self.w.conv(name + '.proj', attend(q, k, v).reshape(x.shape), c, 1)) * \
            self.skip_scale

    def block(self, name, x, out, how='', attention=False):
        w, cin = self.w, x.shape[1]
        if how:
            w(f'{name}.conv0.resample_filter', 1, 1, len(self.taps), len(self.taps))
            w(f'{name}.skip.resample_filter', 1, 1, len(self.taps), len(self.taps))
        h = resampled(f.silu(self.norm(name + '.norm0', x)), self.taps, how)
        h = w.conv(name + '.conv0', h, out, 3, padding=1)
        if self.song:
            h = h + w.linear(name + '.affine', self.emb, out)[:, :, None, None]
            h = self.norm(name + '.norm1', h)
        else:
            e = w.linear(name + '.affine', self.emb, 2 * out)[:, :, None, None]
            h = self.norm(name + '.norm1', h) * (1 + e[:, :out]) + e[:, out:]
        h = w.conv(name + '.conv1', f.silu(h), out, 3, padding=1)
        x = resampled(x, self.taps, how)
        if out != cin or (how and self.song):
            x = w.conv(name + '.skip', x, out, 1)
        x = (x + h) * self.skip_scale
        return self.attention(name, x) if attention and self.heads(out) else x

    def embed(self, time, label):
        o, w, c = self.o, self.w, self.o['model_channels']
        width, classes = c * o.get('channel_mult_emb', 4), o.get('label_dim', 0)
        if not self.song:
            e = sinusoids(time, c)
        elif o.get('embedding_type', 'positional') == 'positional':
            e = sinusoids(time, c * o.get('channel_mult_noise', 1), endpoint=True)
        else:
            e = waves(time, 2 * math.pi * w('map_noise.freqs', c * o['channel_mult_noise'] // 2,
                                            scale=16.0))
        if self.song:
            e = torch.cat(e.chunk(2, 1)[::-1], 1) # sin, cos
            if classes:
                e = e + w.linear('map_label', math.sqrt(classes) * label, e.shape[1])
        if o.get('augment_dim'):
            e = e + w.linear('map_augment', self.augment, e.shape[1], bias=False)
        e = w.linear('map_layer1', f.silu(w.linear('map_layer0', e, width)), width)
        if classes and not self.song:
            e = e + w.linear('map_label', label, width, bias=False)
        self.emb = f.silu(e)

    def residual(self, name, aux, out):
        """NCSN++'s image on the way down: convolution and filter as one, with zeros around both."""
        w = self.w
        pad = (len(self.taps) - 1) // 2
        w(f'{name}.resample_filter', 1, 1, len(self.taps), len(self.taps))
        y = f.conv2d(aux, w(name + '.weight', out, aux.shape[1], 3, 3), padding=1 + pad)
        taps = torch.tensor(self.taps, dtype=torch.float64)
        kernel = (torch.outer(taps, taps) / taps.sum() ** 2).expand(out, 1, -1, -1)
        y = f.conv2d(y, kernel, stride=2, groups=out)
        return y + w(name + '.bias', out, scale=0.25)[:, None, None]

    def __call__(self, x, time, label):
        o, w = self.o, self.w
        res, c = o['img_resolution'], o['model_channels']
        mults, blocks = o.get('channel_mult', [1, 2, 2, 2]), o['num_blocks']
        attention, image = o['attn_resolutions'], x.shape[1]
        self.embed(time, label)
        aux = x
        x = w.conv(f'enc.{res}x{res}_conv', x, c if self.song else c * mults[0], 3, padding=1)
        skips = [x]
        for level, mult in enumerate(mults):
            s = res >> level
            if level:
                x = self.block(f'enc.{s}x{s}_down', x, x.shape[1], 'down')
                if o.get('encoder_type') == 'residual':
                    x = aux = (x + self.residual(f'enc.{s}x{s}_aux_residual', aux, x.shape[1])) / \
                        math.sqrt(2)
                skips.append(x)
            for i in range(blocks):
                x = self.block(f'enc.{s}x{s}_block{i}', x, c * mult, attention=s in attention)
                skips.append(x)
        for level, mult in reversed(list(enumerate(mults))):
            s = res >> level
            if level == len(mults) - 1:
                x = self.block(f'dec.{s}x{s}_in0', x, x.shape[1], attention=True)
                x = self.block(f'dec.{s}x{s}_in1', x, x.shape[1])
            else:
                x = self.block(f'dec.{s}x{s}_up', x, x.shape[1], 'up')
            for i in range(blocks + 1):
                here = s in attention and (not self.song or i == blocks)
                x = self.block(f'dec.{s}x{s}_block{i}', torch.cat([x, skips.pop()], 1), c * mult,
                               attention=here)
        norm, out = (f'dec.{res}x{res}_aux_norm', f'dec.{res}x{res}_aux_conv') if self.song else \
            ('out_norm', 'out_conv')
        heads = 2 if o['_class_name'] == 'iDDPMPrecond' else 1
        return w.conv(out, f.silu(self.norm(norm, x)), heads * image, 3, padding=1)


# ---- EDM2 (arXiv 2312.02696) ----

def unit(x, dims):
    norm = x.square().sum(dims, keepdim=True).sqrt()
    return x / (1e-4 + norm * math.sqrt(norm.numel() / x.numel()))


def mp_sum(a, b, t):
    return ((1 - t) * a + t * b) / math.hypot(1 - t, t)


def mp_silu(x):
    return f.silu(x) / 0.596


class Edm2:
    def __init__(self, w, o):
        self.w, self.o = w, o

    def weight(self, name, *shape):
        v = self.w(name + '.weight', *shape, scale=1.5)
        return unit(v, list(range(1, v.ndim))) / math.sqrt(v[0].numel())

    def conv(self, name, x, out, k):
        return f.conv2d(x, self.weight(name, out, x.shape[1], k, k), padding=k // 2)

    def linear(self, name, x, out):
        return x @ self.weight(name, out, x.shape[1]).T

    def gain(self, name):
        return self.w(name, 1, mean=0.75, scale=0.25)[0]

    def block(self, name, x, out, down, how='', attention=False):
        x = resampled(x, [1, 1], how)
        skip = x.shape[1] != out
        if down:
            x = unit(self.conv(name + '.conv_skip', x, out, 1) if skip else x, [1])
        y = self.conv(name + '.conv_res0', mp_silu(x), out, 3)
        c = 1 + self.gain(name + '.emb_gain') * self.linear(name + '.emb_linear', self.emb, out)
        y = self.conv(name + '.conv_res1', mp_silu(y * c[:, :, None, None]), out, 3)
        if not down and skip:
            x = self.conv(name + '.conv_skip', x, out, 1)
        x = mp_sum(x, y, self.o.get('res_balance', 0.3))
        if attention:
            n, c, h, w = x.shape
            heads = c // self.o.get('channels_per_head', 64)
            y = self.conv(name + '.attn_qkv', x, 3 * c, 1).reshape(n, heads, c // heads, 3, h * w)
            y = attend(*unit(y, [2]).unbind(3)).reshape(x.shape)
            x = mp_sum(x, self.conv(name + '.attn_proj', y, c, 1), self.o.get('attn_balance', 0.3))
        return x.clip(-256, 256)

    def cat(self, a, b):
        t, na, nb = self.o.get('concat_balance', 0.5), a.shape[1], b.shape[1]
        c = math.sqrt((na + nb) / ((1 - t) ** 2 + t ** 2))
        return torch.cat([c / math.sqrt(na) * (1 - t) * a, c / math.sqrt(nb) * t * b], 1)

    def embed(self, time, label, channels):
        w, o, noise = self.w, self.o, channels[0]
        if o.get('channel_mult_noise'):
            noise = o['model_channels'] * o['channel_mult_noise']
        width = o['model_channels'] * o['channel_mult_emb'] if o.get('channel_mult_emb') else \
            max(channels)
        freqs = w('emb_fourier.freqs', noise, scale=8.0)
        phases = w('emb_fourier.phases', noise, mean=3.0, scale=3.0)
        e = math.sqrt(2) * (time[:, None] * freqs + phases).cos()
        e = self.linear('emb_noise', e, width)
        if o['label_dim']:
            rows = self.linear('emb_label', math.sqrt(o['label_dim']) * label, width)
            e = mp_sum(e, rows, o.get('label_balance', 0.5))
        self.emb = mp_silu(e)

    def __call__(self, x, time, label):
        o = self.o
        res, blocks = o['img_resolution'], o['num_blocks']
        channels = [o['model_channels'] * m for m in o['channel_mult']]
        attention, image = o['attn_resolutions'], x.shape[1]
        self.embed(time, label, channels)
        x = torch.cat([x, torch.ones_like(x[:, :1])], 1)
        x = self.conv(f'enc.{res}x{res}_conv', x, channels[0], 3)
        skips = [x]
        for level, c in enumerate(channels):
            s = res >> level
            if level:
                x = self.block(f'enc.{s}x{s}_down', x, x.shape[1], True, 'down')
                skips.append(x)
            for i in range(blocks):
                x = self.block(f'enc.{s}x{s}_block{i}', x, c, True, attention=s in attention)
                skips.append(x)
        for level, c in reversed(list(enumerate(channels))):
            s = res >> level
            if level == len(channels) - 1:
                x = self.block(f'dec.{s}x{s}_in0', x, x.shape[1], False, attention=True)
                x = self.block(f'dec.{s}x{s}_in1', x, x.shape[1], False)
            else:
                x = self.block(f'dec.{s}x{s}_up', x, x.shape[1], False, 'up')
            for i in range(blocks + 1):
                x = self.block(f'dec.{s}x{s}_block{i}', self.cat(x, skips.pop()), c, False,
                               attention=s in attention)
        return self.gain('out_gain') * self.conv('out_conv', x, image, 3)


# ---- guided-diffusion (arXiv 2105.05233) and consistency models (arXiv 2303.01469) ----

class Adm:
    def __init__(self, w, o):
        self.w, self.o = w, o

    def norm(self, name, x):
        return self.w.group_norm(name, x, 32, 1e-5)

    def attention(self, name, x):
        n, c, h, w = x.shape
        heads = c // self.o['num_head_channels']
        qkv = self.w('%s.qkv.weight' % name, 3 * c, c, 1)[:, :, :, None]
        qkv = f.conv2d(self.norm(name + '.norm', x), qkv)
        qkv = qkv + self.w('%s.qkv.bias' % name, 3 * c, scale=0.25)[:, None, None]
        if self.o.get('use_new_attention_order'):
            q, k, v = qkv.reshape(n, 3, heads, c // heads, h * w).unbind(1)
        else:
            q, k, v = qkv.reshape(n, heads, 3, c // heads, h * w).unbind(2)
        y = attend(q, k, v).reshape(x.shape)
        y = f.conv2d(y, self.w('%s.proj_out.weight' % name, c, c, 1)[:, :, :, None])
        return x + y + self.w('%s.proj_out.bias' % name, c, scale=0.25)[:, None, None]

    def block(self, name, x, out, how=''):
        w = self.w
        h = resampled(f.silu(self.norm(name + '.in_layers.0', x)), [1, 1], how)
        h = w.conv(name + '.in_layers.2', h, out, 3, padding=1)
        if self.o.get('use_scale_shift_norm', True):
            e = w.linear(name + '.emb_layers.1', self.emb, 2 * out)[:, :, None, None]
            h = self.norm(name + '.out_layers.0', h) * (1 + e[:, :out]) + e[:, out:]
        else:
            h = h + w.linear(name + '.emb_layers.1', self.emb, out)[:, :, None, None]
            h = self.norm(name + '.out_layers.0', h)
        h = w.conv(name + '.out_layers.3', f.silu(h), out, 3, padding=1)
        x = resampled(x, [1, 1], how)
        return h + (x if out == x.shape[1] else w.conv(name + '.skip_connection', x, out, 1))

    def __call__(self, x, time, label):
        o, w, c = self.o, self.w, self.o['num_channels']
        e = w.linear('time_embed.0', sinusoids(time, c), 4 * c)
        e = w.linear('time_embed.2', f.silu(e), 4 * c)
        if o.get('classes'):
            e = e + label @ w('label_emb.weight', o['classes'], 4 * c, scale=1.0)
        self.emb = f.silu(e)
        side, n = o['image_size'], 0
        x = w.conv('input_blocks.0.0', x, c * o['channel_mult'][0], 3, padding=1)
        skips = [x]
        for level, mult in enumerate(o['channel_mult']):
            for _ in range(o['num_res_blocks']):
                n += 1
                x = self.block(f'input_blocks.{n}.0', x, c * mult)
                if side >> level in o['attention']:
                    x = self.attention(f'input_blocks.{n}.1', x)
                skips.append(x)
            if level + 1 < len(o['channel_mult']):
                n += 1
                if o.get('resblock_updown', True):
                    x = self.block(f'input_blocks.{n}.0', x, c * mult, 'down')
                else:
                    x = w.conv(f'input_blocks.{n}.0.op', x, c * mult, 3, stride=2, padding=1)
                skips.append(x)
        x = self.block('middle_block.0', x, x.shape[1])
        x = self.block('middle_block.2', self.attention('middle_block.1', x), x.shape[1])
        n = 0
        for level, mult in reversed(list(enumerate(o['channel_mult']))):
            for i in range(o['num_res_blocks'] + 1):
                x = self.block(f'output_blocks.{n}.0', torch.cat([x, skips.pop()], 1), c * mult)
                part = 1
                if side >> level in o['attention']:
                    x = self.attention(f'output_blocks.{n}.1', x)
                    part = 2
                if level and i == o['num_res_blocks']:
                    name = f'output_blocks.{n}.{part}'
                    if o.get('resblock_updown', True):
                        x = self.block(name, x, c * mult, 'up')
                    else:
                        x = f.interpolate(x, scale_factor=2, mode='nearest')
                        x = w.conv(name + '.conv', x, c * mult, 3, padding=1)
                n += 1
        return w.conv('out.2', f.silu(self.norm('out.0', x)), o['out_channels'], 3, padding=1)


# ---- DiT (arXiv 2212.09748) and SiT (arXiv 2401.08740) ----

class Dit:
    def __init__(self, w, o):
        self.w, self.o = w, o

    def attention(self, name, x):
        n, t, d = x.shape
        heads = self.o['heads']
        q, k, v = self.w.linear(name + '.qkv', x, 3 * d).reshape(n, t, 3, heads, d // heads) \
            .permute(2, 0, 3, 4, 1)
        y = attend(q, k, v).permute(0, 3, 1, 2).reshape(x.shape)
        return self.w.linear(name + '.proj', y, d)

    def positions(self, side, d):
        line = sinusoids(torch.arange(side, dtype=torch.float64), d // 2)
        line = torch.cat(line.chunk(2, 1)[::-1], 1)
        return torch.cat([line[None].expand(side, -1, -1), line[:, None].expand(-1, side, -1)],
                         2).reshape(1, side * side, d)

    def __call__(self, x, time, label):
        o, w, d, p = self.o, self.w, self.o['width'], self.o['patch']
        n, c, side, _ = x.shape
        x = w.conv('x_embedder.proj', x, d, p, stride=p).flatten(2).transpose(1, 2)
        x = x + self.positions(side // p, d)
        w('pos_embed', 1, (side // p) ** 2, d)
        w.at['pos_embed'] = self.positions(side // p, d)
        e = w.linear('t_embedder.mlp.0', sinusoids(time, o['frequencies']), d)
        e = w.linear('t_embedder.mlp.2', f.silu(e), d)
        rows = torch.cat([label, 1 - label.sum(1, keepdim=True)], 1)
        e = f.silu(e + rows @ w('y_embedder.embedding_table.weight', rows.shape[1], d, scale=1.0))
        norm = lambda v: f.layer_norm(v, (d,), eps=1e-6)
        for i in range(o['depth']):
            b = f'blocks.{i}'
            shift0, scale0, gate0, shift1, scale1, gate1 = \
                w.linear(b + '.adaLN_modulation.1', e, 6 * d)[:, None].chunk(6, 2)
            x = x + gate0 * self.attention(b + '.attn', norm(x) * (1 + scale0) + shift0)
            h = w.linear(b + '.mlp.fc1', norm(x) * (1 + scale1) + shift1, o['ratio'] * d)
            x = x + gate1 * w.linear(b + '.mlp.fc2', f.gelu(h, approximate='tanh'), d)
        shift, scale = w.linear('final_layer.adaLN_modulation.1', e, 2 * d)[:, None].chunk(2, 2)
        x = w.linear('final_layer.linear', norm(x) * (1 + scale) + shift, p * p * o['out_channels'])
        x = x.reshape(n, side // p, side // p, p, p, o['out_channels'])
        return x.permute(0, 5, 1, 3, 2, 4).reshape(n, -1, side, side)


# ---- Processes: state and time of the network at TrigFlow's t, and F from its output ----

def trig(t, xt, x0, sd):
    """F = (cos t eps sd - sin t x0)/sd, where x_t = cos t x0 + sin t sd eps."""
    eps_sd = (xt - math.cos(t) * x0) / math.sin(t)
    return (math.cos(t) * eps_sd - math.sin(t) * x0) / sd


def edm(sd=0.5, scale=1.0):
    def run(net, x, t, label):
        return -net(x, torch.full([len(x)], scale * math.log(sd * math.tan(t)) / 4), label)
    return run


def vp(sd=0.5):
    def run(net, x, t, label):
        sigma, xt = sd * math.tan(t), x * sd
        noisy = xt / math.cos(t)
        time = (math.sqrt(0.01 + 2 * 19.9 * math.log1p(sigma**2)) - 0.1) / 19.9
        y = net(noisy / math.hypot(1, sigma), torch.full([len(x)], 999 * time), label)
        return trig(t, xt, noisy - sigma * y, sd)
    return run


def ve(sd=0.5):
    def run(net, x, t, label):
        sigma, noisy = sd * math.tan(t), x * sd / math.cos(t)
        y = net(noisy, torch.full([len(x)], math.log(sigma / 2)), label)
        return trig(t, x * sd, noisy + sigma * y, sd)
    return run


def iddpm(steps=1000, sd=0.5):
    """The levels u_j fall from j = 0; the network's number of sigma is M - 1 - j of the nearest."""
    a = np.sin(0.5 * math.pi * np.arange(steps + 1) / steps / 1.008) ** 2
    u = np.zeros(steps + 1)
    for j in range(steps, 0, -1):
        u[j - 1] = math.sqrt((u[j] ** 2 + 1) / max(a[j - 1] / a[j], 0.001) - 1)

    def nearest(sigma):
        return int(np.abs(u - sigma).argmin())

    def run(net, x, t, label):
        sigma, noisy = sd * math.tan(t), x * sd / math.cos(t)
        k = steps - 1 - nearest(sigma)
        y = net(noisy / math.hypot(1, sigma), torch.full([len(x)], float(k)), label)
        return trig(t, x * sd, noisy - sigma * y[:, :x.shape[1]], sd)
    run.times = [math.atan(u[steps - 1 - k] / sd) for k in (1, 200, 500, 990)]
    run.level = lambda sigma: u[nearest(sigma)]
    return run


def ddpm(kind='linear', steps=1000, sd=0.5):
    if kind == 'linear':
        beta = np.linspace(0.1 / steps, 20 / steps, steps)
    else:
        a = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * math.pi / 2) ** 2
        beta = np.minimum(1 - a[1:] / a[:-1], 0.999)
    a = np.cumprod(1 - beta)
    log = np.log(np.sqrt(1 - a) / np.sqrt(a))

    def run(net, x, t, label):
        ratio, xt = sd * math.tan(t), x * sd
        k = float(np.interp(math.log(ratio), log, np.arange(steps)))
        noisy = xt / math.cos(t)
        y = net(noisy / math.hypot(1, ratio), torch.full([len(x)], k), label)[:, :x.shape[1]]
        return trig(t, xt, noisy - ratio * y, sd)
    run.times = [math.atan(math.exp(log[i]) / sd) for i in (1, steps // 5, steps // 2, steps - 1)]
    return run


def sit(sd=0.5):
    """Data at 1, noise at 0; the output is x0 - eps."""
    def run(net, x, t, label):
        ratio, xt = sd * math.tan(t), x * sd
        u = ratio / (1 + ratio)
        state = xt / math.cos(t) * (1 - u)
        v = net(state, torch.full([len(x)], 1 - u), label)[:, :x.shape[1]]
        return trig(t, xt, state + u * v, sd)
    return run


# ---- Cases ----

def precond(net, **o):
    """The arguments of EDM's wrapper; those of the network are added to them."""
    return dict({'_class_name': 'EDMPrecond', 'img_resolution': 8, 'img_channels': 3,
                 'label_dim': 0, 'use_fp16': True, 'model_type': net}, **o)


SONG = {'model_channels': 8, 'channel_mult': [2, 2], 'num_blocks': 1, 'attn_resolutions': [4],
        'dropout': 0.13, 'embedding_type': 'positional', 'encoder_type': 'standard',
        'decoder_type': 'standard', 'channel_mult_noise': 1, 'resample_filter': [1, 1]}
NCSN = dict(SONG, embedding_type='fourier', encoder_type='residual', channel_mult_noise=2,
            resample_filter=[1, 3, 3, 1])
ADM = {'num_channels': 32, 'channel_mult': [1, 2], 'num_res_blocks': 1, 'attention': [4],
       'num_head_channels': 32, 'image_size': 8, 'out_channels': 3}
DIT = {'width': 32, 'depth': 2, 'heads': 2, 'patch': 2, 'frequencies': 16, 'ratio': 4,
       'out_channels': 6, 'classes': 4, 'side': 8, 'in_channels': 3}
EDM2 = {'_class_name': 'Precond', 'img_resolution': 8, 'img_channels': 3, 'label_dim': 0,
        'use_fp16': True, 'model_channels': 16, 'channel_mult': [1, 2], 'num_blocks': 1,
        'attn_resolutions': [4]}

FLAGS = ['use_new_attention_order=False', 'noise_schedule=linear', 'image_size=8']

# name: kind, configuration, process, settings of few import
CASES = {
    'ddpmpp': ('edm', precond('SongUNet', augment_dim=9, **SONG), edm(), []),
    'ddpmpp_cond': ('edm', precond('SongUNet', label_dim=5, **dict(
        SONG, num_blocks=2, channel_mult=[1, 3])), edm(), []),
    'ncsnpp': ('edm', precond('SongUNet', label_dim=3, augment_dim=9, **NCSN), edm(), []),
    'ddpmpp_vp': ('edm', precond('SongUNet', _class_name='VPPrecond', **SONG), vp(), []),
    'ncsnpp_ve': ('edm', precond('SongUNet', _class_name='VEPrecond', label_dim=3, **NCSN), ve(),
                  []),
    'iddpm': ('edm', precond('DhariwalUNet', _class_name='iDDPMPrecond', label_dim=3,
                             model_channels=8, channel_mult=[1, 2], num_blocks=1,
                             attn_resolutions=[]), iddpm(), []),
    'ecm': ('edm', precond('DhariwalUNet', _class_name='ECMPrecond', model_channels=8,
                           channel_mult=[1, 2], num_blocks=1, attn_resolutions=[]), edm(), []),
    'dhariwal': ('edm', precond('DhariwalUNet', label_dim=4, model_channels=64,
                                channel_mult=[1, 2], num_blocks=1, attn_resolutions=[8, 4],
                                sigma_data=0.7), edm(0.7), []),
    'dhariwal_narrow': ('edm', precond('DhariwalUNet', augment_dim=9, model_channels=8,
                                       channel_mult=[1, 2], num_blocks=2, attn_resolutions=[4]),
                        edm(), []),
    'edm2': ('edm2', dict(EDM2, channels_per_head=16), edm(), []),
    'edm2_cond': ('edm2', dict(EDM2, label_dim=4, channel_mult=[1, 8], channel_mult_noise=2,
                               channel_mult_emb=3, concat_balance=0.4, label_balance=0.3,
                               res_balance=0.2, attn_balance=0.35, sigma_data=0.8), edm(0.8), []),
    'adm': ('adm', dict(ADM, classes=5, out_channels=6), ddpm(), FLAGS + ['num_head_channels=32']),
    'adm_cosine': ('adm', dict(ADM, num_head_channels=16, use_new_attention_order=True),
                   ddpm('cosine', 100),
                   ['num_head_channels=16', 'use_new_attention_order=true', 'image_size=8',
                    'noise_schedule=cosine', 'diffusion_steps=100']),
    'adm_plain': ('adm', dict(ADM, use_scale_shift_norm=False, resblock_updown=False,
                              num_res_blocks=2), ddpm(), FLAGS + ['num_heads=2']),
    'cm': ('adm', dict(ADM, classes=3, use_new_attention_order=True), edm(scale=1000.0),
           ['num_head_channels=32', 'image_size=8']),
    'dit': ('dit', DIT, ddpm(), ['num_heads=2']),
    'sit': ('dit', dict(DIT, patch=4, heads=4), sit(), ['num_heads=4']),
}


SAMPLED = {'ddpmpp_cond': 0.5, 'ncsnpp': 0.5, 'dhariwal': 0.7, 'edm2_cond': 0.8, 'ncsnpp_ve': 0.5,
           'iddpm': 0.5} # sigma_data
LEAST = {'ncsnpp_ve': 0.02, 'iddpm': 0.0065} # sigma of the last step
# EDM's labels of augmentation among few's, which also have those of turns and shifts by pixels.
AUGMENT, AUGMENT_LABELS = [0, 1, 6, 7, 8, 9, 10, 11, 12], 13


def network(kind, config, w):
    if kind == 'edm':
        return Edm(w, config['model_type'] == 'SongUNet', config)
    return {'edm2': Edm2, 'adm': Adm, 'dit': Dit}[kind](w, config)


def prefix(kind):
    return {'edm': 'model.', 'edm2': 'unet.'}.get(kind, '')


class Prefixed(Weights):
    """Names with a prefix, which the values depend on too."""

    def __init__(self, prefix):
        super().__init__()
        self.prefix = prefix

    def __call__(self, name, *shape, **how):
        return super().__call__(self.prefix + name, *shape, **how)


def levels(process, least, steps=18):
    top, bottom = 80 ** (1 / 7), least ** (1 / 7)
    sigma = [(top + i / (steps - 1) * (bottom - top)) ** 7 for i in range(steps)]
    return list(map(getattr(process, 'level', lambda s: s), sigma))


def sample(net, process, noise, label, sd, sigma):
    """EDM's deterministic sampler (arXiv 2206.00364, algorithm 1)."""
    def denoised(x, sigma):
        t = math.atan(sigma / sd)
        state = x * math.cos(t) / sd
        return math.cos(t) * state * sd - math.sin(t) * sd * process(net, state, t, label)

    x = sigma[0] * noise
    for now, then in zip(sigma, sigma[1:] + [0.0]):
        slope = (x - denoised(x, now)) / now
        step = x + (then - now) * slope
        if then > 0:
            slope = (slope + (step - denoised(step, then)) / then) / 2
        x = x + (then - now) * slope
    return x


def evaluate(name):
    kind, config, process, settings = CASES[name]
    w = Prefixed(prefix(kind))
    net = network(kind, config, w)
    side = config.get('img_resolution') or config.get('image_size') or config['side']
    classes = config.get('label_dim') or config.get('classes') or 0
    t = np.array(getattr(process, 'times', [0.05, 0.7, 1.3, 1.56]), np.float32)
    rng = np.random.default_rng(7)
    x = rng.standard_normal((len(t), side, side, 3)).astype(np.float32)
    label = np.array([(i + 1) % classes if classes else -1 for i in range(len(t))], np.int32)
    if kind != 'adm':
        label[-1] = -1

    def rows(augment=None):
        F = []
        for i in range(len(t)):
            hot = torch.zeros(1, classes, dtype=torch.float64)
            if label[i] >= 0:
                hot[0, label[i]] = 1
            if augment is not None:
                net.augment = torch.from_numpy(augment[i:i + 1]).double()
            image = torch.from_numpy(x[i].astype(np.float64)).permute(2, 0, 1)[None]
            F.append(process(net, image, float(t[i]), hot)[0].permute(1, 2, 0).numpy())
        return np.array(F).astype(np.float32)

    golden = {'x': x, 't': t, 'label': label, 'F': rows()}
    if config.get('augment_dim') == len(AUGMENT):
        augment = rng.standard_normal((len(t), len(AUGMENT))).astype(np.float32)
        golden['F_augmented'] = rows(augment)
        golden['augment'] = np.zeros((len(t), AUGMENT_LABELS), np.float32)
        golden['augment'][:, AUGMENT] = augment
        net.augment = torch.zeros(1, len(AUGMENT))
    if name in SAMPLED:
        hot = torch.zeros(1, classes)
        hot[0, 1] = 1
        image = torch.from_numpy(x[0].astype(np.float64)).permute(2, 0, 1)[None]
        sigma, sd = levels(process, LEAST.get(name, 0.002)), SAMPLED[name]
        end = sample(net, process, image, hot, sd, sigma)[0].permute(1, 2, 0).numpy()
        if hasattr(process, 'level'):
            golden['times'] = np.arctan(np.array(sigma) / sd)
        golden['sampled'] = end.astype(np.float32)
    return w, golden, settings


def write(name):
    kind, config, _, _ = CASES[name]
    w, golden, settings = evaluate(name)
    if kind == 'dit': # a table that is not random
        w.about['pos_embed'] = dict(w.about['pos_embed'], positions=True)
    if config.get('_class_name') == 'iDDPMPrecond': # the table of its levels
        w.prefix = ''
        w('u', 1001)
    if kind == 'edm2':
        w.prefix = ''
        for more in (['logvar_fourier.freqs', 16], ['logvar_fourier.phases', 16],
                     ['logvar_linear.weight', 1, 16]):
            w(*more)
        for about in (w.about[n] for n in w.about if n.endswith('_gain')):
            about['shape'] = []
    os.makedirs(DATA, exist_ok=True)
    own = {k: v for k, v in config.items()} if kind in ('edm', 'edm2') else None
    with open(os.path.join(DATA, name + '.json'), 'w') as out:
        rows = ',\n'.join(f'{json.dumps(k)}: {json.dumps(v)}' for k, v in w.about.items())
        out.write(f'{{"config": {json.dumps(own)},\n"settings": {json.dumps(settings)},\n'
                  f'"tensors": {{\n{rows}}}}}\n')
    save_file(golden, os.path.join(DATA, name + '.safetensors'))
    print(f'{name}: {sum(math.prod(a["shape"]) for a in w.about.values())} values, rms of F '
          f'{np.sqrt(np.mean(golden["F"] ** 2)):.3f}')


# ---- Sources for the fuzzer: configurations and shapes ----

FUZZED = {'ddpmpp': 'edm', 'ncsnpp': 'edm', 'ncsnpp_ve': 'edm', 'iddpm': 'edm',
          'dhariwal_narrow': 'edm', 'edm2': 'edm2',
          'adm': 'guided-diffusion', 'adm_plain': 'guided-diffusion', 'cm': 'consistency-models',
          'dit': 'dit', 'sit': 'sit'}


def setting(text):
    key, value = text.split('=')
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value == 'True' if value in ('True', 'False') else value


def fuzzed():
    folder = os.path.join(HERE, 'data', 'import')
    for name, form in FUZZED.items():
        with open(os.path.join(DATA, name + '.json')) as made:
            about = json.load(made)
        config = about['config'] or dict(map(setting, about['settings']))
        shapes = {k: v['shape'] for k, v in about['tensors'].items()}
        with open(os.path.join(folder, f'y_{form}_{name}.json'), 'w') as out:
            json.dump({'format': form, 'config': config, 'tensors': shapes}, out)
            out.write('\n')


if __name__ == '__main__':
    for case in CASES:
        write(case)
    fuzzed()
