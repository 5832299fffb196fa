#!/usr/bin/env python3
"""Makes the files of ../../io/data/persistent: networks that are pickled whole, as EDM and EDM2
save them (y_edm*), and pickles that no one should trust (n_*); and data/sit.pt, a state dict. The
networks are those of originals.py with few channels. Needs torch 2.15 and numpy.

    python3 pickles.py
"""
import argparse
import io
import math
import os
import pickle
import sys
import types

import numpy as np
import torch

from originals import CASES, DIT, EDM2, HERE, SONG, edm, evaluate, precond, prefix, sit, uniform

PICKLES = os.path.join(HERE, '..', '..', 'io', 'data', 'persistent')
CASES['tiny'] = ('edm', precond('SongUNet', label_dim=2, **dict(
    SONG, model_channels=4, channel_mult=[1], num_blocks=1, attn_resolutions=[8])), edm(), [])
CASES['tiny2'] = ('edm2', dict(EDM2, model_channels=4, channel_mult=[1], num_blocks=1,
                               attn_resolutions=[8], channels_per_head=4, label_dim=2), edm(), [])
CASES['tiny_sit'] = ('dit', dict(DIT, width=8, depth=1, frequencies=8, ratio=1), sit(), [])


# ---- Pickles as EDM and EDM2 save them ----

def reconstruct(meta):
    raise NotImplementedError


def new_module(name, **members):
    module = types.ModuleType(name)
    for key, value in members.items():
        value.__module__, value.__qualname__, value.__name__ = name, key, key
        setattr(module, key, value)
    sys.modules[name] = module


class EasyDict(dict):
    pass


class Persistent:
    """Pickles itself as torch_utils.persistence does; the source code is not the original's."""

    def __reduce__(self):
        meta = dict(type='class', version=6, module_src='raise SystemError("this was run")\n' * 3,
                    class_name=type(self).__name__, state=self.__dict__)
        return reconstruct, (meta,), None


def persistent(class_name, *base, **kwargs):
    self = type(class_name, (Persistent,) + base, {})()
    self._init_args, self._init_kwargs = (), kwargs
    return self


CLASSES = (('norm', 'GroupNorm'), ('conv', 'Conv2d'), ('skip', 'Conv2d'), ('proj', 'Conv2d'),
           ('qkv', 'Conv2d'), ('residual', 'Conv2d'), ('fourier', 'MPFourier'),
           ('map_noise', 'FourierEmbedding'), ('', 'Linear'))


def tree(w, dtype):
    """Modules in modules, by the names of tensors."""
    root = {}
    for name in w.at:
        at = root
        *path, last = name.split('.')
        for part in path:
            at = at.setdefault(part, {})
        v = torch.from_numpy((w.about[name]['mean'] + w.about[name]['scale'] *
                              uniform(name, math.prod(w.about[name]['shape'])))
                             .astype(np.float32).reshape(w.about[name]['shape']))
        at[last] = v.to(dtype)

    def module(name, parts):
        tensors = {k: v for k, v in parts.items() if torch.is_tensor(v)}
        if name in ('enc', 'dec'):
            self = torch.nn.ModuleDict()
        elif any(isinstance(v, dict) for v in parts.values()):
            self = persistent('UNetBlock', torch.nn.Module, in_channels=8, up=False)
            self.skip_scale, self.num_heads = np.sqrt(0.5), 1
        else:
            self = persistent(next(c for word, c in CLASSES if word in name), torch.nn.Module)
        for key, v in tensors.items():
            if key in ('freqs', 'phases', 'resample_filter'):
                self.register_buffer(key, v)
            else:
                self.register_parameter(key, torch.nn.Parameter(v, requires_grad=False))
        if type(self).__name__ == 'Conv2d' and 'resample_filter' not in tensors:
            self.register_buffer('resample_filter', None)
        for key, v in parts.items():
            if isinstance(v, dict):
                self.add_module(key, module(key, v))
        return self.eval()

    return module('', root)


def pickled(name, dtype, **how):
    kind, config, _, _ = CASES[name]
    w, _, _ = evaluate(name)
    if kind == 'edm2':
        for key in list(w.at):
            if key.endswith('_gain'):
                w.about[key]['shape'] = []
    base = {k: v for k, v in config.items() if not k.startswith('_')}
    root = tree(w, dtype)
    inner = next(iter(root._modules.values()))
    outer = persistent(config['_class_name'], torch.nn.Module, **base)
    own = dict(base)
    own.pop('use_fp16')
    own.pop('sigma_data', None)
    if kind == 'edm':
        own.pop('model_type')
        own['in_channels'] = own['out_channels'] = own.pop('img_channels')
    inner.__class__ = type(config.get('model_type', 'UNet'), (Persistent, torch.nn.Module), {})
    inner._init_kwargs = own
    inner.label_dropout = 0
    outer.sigma_min, outer.sigma_max, outer.sigma_data = 0, float('inf'), 0.5
    outer.add_module(prefix(kind)[:-1], inner)
    loss = persistent('EDMLoss', P_mean=-1.2)
    loss.raw = np.float32([1, 2])
    data = {'ema': outer.eval(), 'loss_fn': loss, 'augment_pipe': None,
            'dataset_kwargs': dict(class_name='training.dataset.ImageFolderDataset', xflip=False)}
    return pickle.dumps(EasyDict(data) if kind == 'edm2' else data, **how)


def pickles():
    new_module('torch_utils')
    new_module('torch_utils.persistence', _reconstruct_persistent_obj=reconstruct)
    new_module('dnnlib')
    new_module('dnnlib.util', EasyDict=EasyDict)
    os.makedirs(PICKLES, exist_ok=True)
    for name, case, dtype, protocol in (('y_edm.pkl', 'tiny', torch.float32, 4),
                                        ('y_edm_3.pkl', 'tiny', torch.float32, 3),
                                        ('y_edm2.pkl', 'tiny2', torch.float16, 5)):
        with open(os.path.join(PICKLES, name), 'wb') as out:
            out.write(pickled(case, dtype, protocol=protocol))


# ---- Pickles that no one should trust ----

def text(s):
    return b'X' + len(s).to_bytes(4, 'little') + s.encode()


def dictionary(*pairs):
    return b'}(' + b''.join(text(k) + v for k, v in pairs) + b'u'


def whole(i):
    return b'\x8a\x09' + i.to_bytes(9, 'little', signed=True)


def call(module, name, *args):
    return f'c{module}\n{name}\n'.encode() + b'(' + b''.join(args) + b'tR'


def storage(n):
    out = io.BytesIO()
    torch.save(torch.arange(float(n), dtype=torch.float32).storage(), out,
               _use_new_zipfile_serialization=False)
    return out.getvalue()


def tensor(shape, packed):
    size = b'B' + len(packed).to_bytes(4, 'little') + packed
    strides = [math.prod(shape[i + 1:]) for i in range(len(shape))]
    data = call('torch.storage', '_load_from_bytes', size)
    return call('torch._utils', '_rebuild_tensor_v2', data, whole(0),
                b'(' + b''.join(map(whole, shape)) + b't',
                b'(' + b''.join(map(whole, strides)) + b't', b'\x89', b'}')


def saved(class_name, *state, version=6):
    meta = dictionary(('type', text('class')), ('version', whole(version)),
                      ('module_src', text('exit()')), ('class_name', text(class_name)),
                      ('state', dictionary(*state)))
    return call('torch_utils.persistence', '_reconstruct_persistent_obj', meta)


def by_hand(*more, packed=None, shape=(2,), args=b')', version=6):
    weight = dictionary(('weight', tensor(shape, storage(2) if packed is None else packed)))
    layer = saved('Conv2d', ('_parameters', weight), ('_init_args', b')'), ('_init_kwargs', b'}'))
    net = saved('Net', ('_init_args', args),
                ('_init_kwargs', dictionary(('size', whole(8)), ('at', b'G?\xe0' + bytes(6)))),
                ('_modules', dictionary(('a', layer), ('none', b'N'))), *more, version=version)
    return b'\x80\x02' + dictionary(('ema', net)) + b'.'


def hostile():
    good = by_hand()
    shared = b'\x80\x02' + dictionary(('ema', saved('Net', ('_modules', b'}q\x00(' + text('a') +
                                      saved('Net', ('_modules', b'h\x00')) + b'u'))))+ b'.'
    tower, lists = b'}', b']'
    for _ in range(14):
        part = saved('N', ('_modules', tower))
        parts = b''.join(text(str(i)) + b'h\x01' for i in range(9))
        tower = b'}(' + part + b'q\x010' + parts + b'u'
        lists = lists + b'q\x020](' + b'h\x02' * 9 + b'e'
    init = ('_init_args', b')'), ('_init_kwargs', dictionary(('lists', lists)))
    files = {
        'y_by_hand': good,
        'y_positional': by_hand(args=b'(K\x08t'),
        'n_system': b'\x80\x04' + text('posix') + text('system') + b'\x93(' + text('x') + b'tR.',
        'n_eval_within': by_hand(('x', call('builtins', 'eval', text('1')))),
        'n_getattr': by_hand(('x', call('builtins', 'getattr', text('1'), text('2')))),
        'n_load_twice': by_hand(packed=good),
        'n_version': by_hand(version=5),
        'n_no_network': b'\x80\x02' + dictionary(('G_ema', whole(1))) + b'.',
        'n_number': b'\x80\x02K\x01K\x02K\x03K\x04000.',
        'n_itself': shared,
        'n_tower': b'\x80\x02' + dictionary(('ema', saved('N', ('_modules', tower)))) + b'.',
        'n_lists': b'\x80\x02' + dictionary(('ema', saved('N', *init))) + b'.',
        'n_bytes': by_hand(packed=b'1234'),
        'n_bytes_empty': by_hand(packed=b''),
        'n_bytes_cut': by_hand(packed=storage(2)[:-3]),
        'n_shape': by_hand(shape=(3,)),
        'n_shape_huge': by_hand(shape=(2**30, 2**30, 4)),
        'n_shape_negative': by_hand(shape=(-2,)),
        'n_no_tensor': by_hand(('_parameters', dictionary(('w', whole(1))))),
        'n_part': by_hand(('_modules', dictionary(('a', whole(1))))),
        'n_state': b'\x80\x02' + dictionary(('ema', call(
            'torch_utils.persistence', '_reconstruct_persistent_obj', b'}'))) + b'.',
        'n_new_object': b'\x80\x02cos\nPopen\n)\x81.',
        'n_not_utf8': by_hand().replace(text('size'), b'X\x04\x00\x00\x00s\xffze'),
        'n_instance': b'\x80\x02(cos\nsystem\no.',
    }
    for name, content in files.items():
        with open(os.path.join(PICKLES, name + '.pkl'), 'wb') as out:
            out.write(content)


def state_dict():
    """A small SiT as its program saves it."""
    w, _, _ = evaluate('tiny_sit')
    torch.save({'ema': {k: v.half() for k, v in w.at.items()}, 'args': argparse.Namespace(lr=1)},
               os.path.join(HERE, 'data', 'sit.pt'))


if __name__ == '__main__':
    pickles()
    hostile()
    state_dict()
