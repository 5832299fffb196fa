"""few's model files (docs/format.md) in PyTorch: the networks `mlp` and `unet`, for accuracy.py.

    m = Model('models/fashion-teacher.safetensors', frequencies)
    F = m(x, t, label)      x [N,c,h,w] or [N,c], x_t / sigma_data; t [N]; label [N], -1 for none

`frequencies` are those of the time embedding (few_answer writes them as const/0): few draws them
for time_embedding = fourier. m.float() and m.double() convert the weights. Of the U-Net, resample =
filter with filter = box is here; resample = conv is in test/diffusion/net/torch_reference.py.
"""
import json
import math
import struct

import numpy as np
import torch
from torch.nn import functional as F

NUMPY = {'F64': '<f8', 'F32': '<f4', 'F16': '<f2', 'I32': '<i4'}


def read(path):
    """The tensors of a safetensors file, and its metadata."""
    with open(path, 'rb') as f:
        header = json.loads(f.read(struct.unpack('<Q', f.read(8))[0]))
        data = f.read()
    meta = header.pop('__metadata__', {})
    def array(t):
        part = data[slice(*t['data_offsets'])]
        return np.frombuffer(part, NUMPY[t['dtype']]).reshape(t['shape'])
    return {name: array(t) for name, t in header.items()}, meta


def write(path, tensors):
    """A safetensors file; wide types first, which keeps them aligned."""
    header, data = {}, b''
    for name, v in sorted(tensors.items(), key=lambda item: -item[1].itemsize):
        v = np.ascontiguousarray(v)
        kind = next(k for k, word in NUMPY.items() if np.dtype(word) == v.dtype)
        header[name] = {'dtype': kind, 'shape': v.shape,
                        'data_offsets': [len(data), len(data) + v.nbytes]}
        data += v.tobytes()
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + data)


def wide(x):
    """Norms and embeddings are computed in float32 at least."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def pixel_norm(x, centre=False, eps=1e-8):
    x = wide(x)
    x = x - x.mean(dim=-1, keepdim=True) if centre else x
    return x * (x.square().mean(dim=-1, keepdim=True) + eps).rsqrt()


class Model(torch.nn.Module):
    def __init__(self, path, frequencies):
        super().__init__()
        tensors, meta = read(path)
        about = json.loads(meta['few'])
        self.kind, self.data = about['net']['name'], about['data']
        self.o = {k: v.split(', ') for k, v in about['net']['options'].items()}
        self.register_buffer('frequencies', torch.tensor(frequencies.reshape(1, -1)))
        for name, v in tensors.items():
            v = torch.tensor(v.astype(np.float64))
            if v.dim() == 4:  # HWIO to OIHW
                v = v.permute(3, 2, 0, 1)
            elif v.dim() == 2 and not name.endswith('label.w'):  # [in,out] to [out,in]
                v = v.T
            self.register_buffer(name.replace('.', '/'), v.contiguous())
        self.forwards = {'mlp': self.mlp, 'unet': self.unet}[self.kind]
        self.c = None  # of the conditioning of the current call

    def learn(self):
        """Make the weights parameters."""
        for name, v in list(self.named_buffers()):
            if name != 'frequencies':
                delattr(self, name)
                self.register_parameter(name, torch.nn.Parameter(v))

    def word(self, key):
        return self.o[key][0]

    def numbers(self, key):
        return [int(v) for v in self.o[key]]

    def w(self, name):
        return getattr(self, name.replace('.', '/'))

    def has(self, name):
        return hasattr(self, name.replace('.', '/'))

    # ---- layers ----

    def linear(self, name, x):
        return F.linear(x, self.w(name + '.w'), self.w(name + '.b'))

    def conv(self, name, x):
        w = self.w(name + '.w')
        return F.conv2d(x, w, self.w(name + '.b'), padding=w.shape[2] // 2)

    def embed(self, t, label):
        if self.word('time_transform') == 'log':
            tan = t.sin().clamp(min=1e-5) / t.cos().clamp(min=1e-4)
            t = (tan * self.data['sigma_data']).log() / 4
        angle = t[:, None] * self.frequencies.to(t.dtype)
        e = torch.cat([angle.cos(), angle.sin()], dim=1)
        e = e * math.sqrt(2) if self.word('time_embedding') == 'fourier' else e
        e = self.linear('cond.time1', F.silu(self.linear('cond.time0', e)))
        if self.has('cond.label.w') and label is not None:
            rows = self.w('cond.label.w')[label.clamp(min=0)]
            e = e + rows * (label >= 0)[:, None]
        self.c = F.silu(e)

    def modulate(self, name, x):
        scale, shift = (self.linear(f'{name}.{part}', self.c) for part in ('scale', 'shift'))
        if self.word('modulation') == 'double':
            scale, shift = pixel_norm(scale), pixel_norm(shift)
        else:
            scale = 1 + scale
        more = (...,) + (None,) * (x.dim() - 2)
        return x * scale[more] + shift[more]

    # ---- mlp ----

    def mlp(self, x):
        h = self.linear('in', x)
        for i in range(int(self.word('layers'))):
            y = F.silu(self.modulate(f'layer.{i}.mod', pixel_norm(h, True, 1e-6)))
            h = h + self.linear(f'layer.{i}.out', y)
        return self.linear('out', pixel_norm(h, True, 1e-6))

    # ---- unet ----

    def groups(self, channels):
        n = max(1, min(channels // int(self.word('group_channels')), int(self.word('groups'))))
        while channels % n:
            n -= 1
        return n

    def norm(self, x, name=None):
        scale, shift = (self.w(f'{name}.{k}') if name else None for k in ('scale', 'shift'))
        return F.group_norm(x, self.groups(x.shape[1]), scale, shift, float(self.word('norm_eps')))

    def block(self, name, x, how=lambda x: x):
        h = self.conv(name + '.conv0', how(F.silu(self.norm(x, name + '.norm0'))))
        h = self.conv(name + '.conv1', F.silu(self.modulate(name + '.mod', self.norm(h))))
        x = how(x)
        x = self.conv(name + '.skip', x) if self.has(name + '.skip.w') else x
        x = (x + h) * float(self.word('skip_scale'))
        return self.attention(name, x) if self.has(name + '.norm2.scale') else x

    def attention(self, name, x):
        n, c, h, w = x.shape
        heads = max(1, c // int(self.word('head_channels')))
        y = self.norm(x, name + '.norm2').flatten(2).transpose(1, 2)
        qkv = self.linear(name + '.attention.qkv', y).reshape(n, h * w, 3, heads, c // heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        p = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(c // heads), dim=-1)
        y = self.linear(name + '.attention.out', (p @ v).transpose(1, 2).reshape(n, h * w, c))
        return (x + y.transpose(1, 2).reshape(n, c, h, w)) * float(self.word('skip_scale'))

    def unet(self, x):
        assert self.word('resample') == 'filter' and self.word('filter') == 'box'
        levels, blocks = len(self.o['mults']), int(self.word('blocks'))
        x = self.conv('in', x)
        skips = [x]
        for level in range(levels):
            for i in range(blocks):
                x = self.block(f'down.{level}.{i}', x)
                skips.append(x)
            if level + 1 < levels:
                x = self.block(f'down.{level}.half', x, lambda v: F.avg_pool2d(v, 2))
                skips.append(x)
        x = self.block('middle.1', self.block('middle.0', x))
        for level in reversed(range(levels)):
            for i in range(blocks + 1):
                x = self.block(f'up.{level}.{i}', torch.cat([x, skips.pop()], dim=1))
            if level:
                x = self.block(f'up.{level}.twice', x,
                               lambda v: v.repeat_interleave(2, 2).repeat_interleave(2, 3))
        return self.conv('out', F.silu(self.norm(x, 'out_norm')))

    def forward(self, x, t, label=None):
        self.embed(t, label)
        return self.forwards(x)
