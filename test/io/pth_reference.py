#!/usr/bin/env python3
"""The files of test/io/data/pth: what torch.save writes (y_*), and pickles that no one should trust
(n_*).

Element i of every tensor of a y_ file is i - 2 (of bytes i, of booleans i % 2), which test_pth.c
expects. Needs PyTorch; the files are committed.
"""
import argparse
import collections
import io
import os
import struct
import tarfile
import zipfile

import torch

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'pth')


def count(dtype, *shape):
    n = 1
    for d in shape:
        n *= d
    x = torch.arange(n)
    if dtype == torch.bool:
        return (x % 2 == 1).reshape(shape)
    return (x if dtype == torch.uint8 else x - 2).reshape(shape).to(dtype)


def tensors():
    d = collections.OrderedDict()
    for name in ('float32', 'float16', 'bfloat16', 'float64', 'int64', 'int32', 'int16', 'int8',
                 'uint8', 'bool'):
        d[name] = count(getattr(torch, name), 2, 3)
    d['scalar'] = torch.tensor(-2.0)
    d['empty'] = torch.zeros(0, 4)
    d['turned'] = count(torch.float32, 3, 2).reshape(3, 2).t().contiguous().t()  # strides (1, 3)
    base = torch.arange(20.0) - 7
    d['inside'] = base[5:11].reshape(2, 3)
    d['column'] = torch.stack([count(torch.float32, 4), torch.zeros(4)], 1)[:, 0]
    d['parameter'] = torch.nn.Parameter(count(torch.float32, 5))
    return d


def save(name, obj, **how):
    torch.save(obj, os.path.join(HERE, name), **how)


def right():
    save('y_zip.pth', tensors())
    save('y_legacy.pth', tensors(), _use_new_zipfile_serialization=False)
    save('y_protocol_4.pth', tensors(), pickle_protocol=4)
    save('y_checkpoint.pth',
         {'epoch': 3, 'lr': 1e-3, 'best': None, 'names': ['a', 'b'], 'state_dict': tensors()})
    save('y_training.pth',
         {'model': {'x': torch.zeros(1)}, 'ema': tensors(), 'opt': {'state': {0: torch.ones(1)}},
          'args': argparse.Namespace(epochs=3)})
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    with torch.no_grad():
        for v in module.state_dict().values():
            v.copy_(count(v.dtype, *v.shape))
    save('y_module_state.pth', module.state_dict())


# ---- hand-made pickles ----

def text(s):
    return b'X' + struct.pack('<I', len(s)) + s.encode()


def integer(i):
    if 0 <= i < 256:
        return b'K' + bytes([i])
    if -2**31 <= i < 2**31:
        return b'J' + struct.pack('<i', i)
    return b'\x8a\x08' + struct.pack('<q', i)


def tup(*items):
    return b'(' + b''.join(items) + b't'


def storage(key='0', n=6, kind=b'FloatStorage', word='storage'):
    return tup(text(word), b'ctorch\n' + kind + b'\n', text(key), text('cpu'), integer(n)) + b'Q'


def tensor(of, offset=0, shape=(2, 3), stride=(3, 1)):
    offset = integer(offset) if isinstance(offset, int) else offset
    args = tup(of, offset, tup(*map(integer, shape)), tup(*map(integer, stride)), b'\x89',
               b'}')
    return b'ctorch._utils\n_rebuild_tensor_v2\n' + args + b'R'


def state(*pairs):
    return b'\x80\x02}(' + b''.join(pairs) + b'u.'


def archive(name, pickle, members=(('a/data/0', struct.pack('<6f', *range(-2, 4))),),
            method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(os.path.join(HERE, name), 'w', method) as z:
        for member, content in ((('a/data.pkl', pickle),)
                                if pickle is not None else ()) + tuple(members):
            z.writestr(zipfile.ZipInfo(member), content, method)


def write(name, content):
    with open(os.path.join(HERE, name), 'wb') as f:
        f.write(content)


def wrong():
    good = state(text('x'), tensor(storage()))
    archive('y_by_hand.pth', good)
    archive('y_long_zero.pth', state(text('x'), tensor(storage(), offset=b'\x8a\x00')))
    archive('n_system.pth', b'\x80\x02cposix\nsystem\n' + tup(text('echo harm')) + b'R.')
    archive('n_eval.pth', state(text('x'), b'cbuiltins\neval\n' + tup(text('1')) + b'R'))
    archive('n_storage_name.pth', state(text('x'), b'cos\nStorage\n)R'))
    archive('n_opcode.pth', b'\x80\x02}(\x97u.')
    archive('n_newobj.pth', b'\x80\x02ccollections\nOrderedDict\n)\x81.')
    archive('n_protocol_1.pth', b'\x80\x01}.')
    archive('n_number_empty.pth', b'\x80\x02\x8a\x00.')
    archive('n_global_number.pth', b'\x80\x04K\x01K\x02\x93.')
    archive('n_global_system.pth', b'\x80\x04' + text('posix') + text('system') + b'\x93.')
    archive('n_bytes_huge.pth', b'\x80\x04\x8e' + b'\xff' * 8 + b'.')
    archive('n_frame_cut.pth', b'\x80\x04\x95\x00.')
    archive('n_stack_empty.pth', b'\x80\x02R.')
    archive('n_nothing.pth', b'')
    archive('n_no_stop.pth', b'\x80\x02}')
    archive('n_left_over.pth', b'\x80\x02}}.')
    archive('n_mark_root.pth', b'\x80\x02(.')
    archive('n_mark_pair.pth', b'\x80\x02}((Ku.')
    archive('n_marks.pth', b'\x80\x02' + b'(' * 2000 + b't' * 1999 + b'.')
    archive('n_odd_pairs.pth', b'\x80\x02}(K\x01u.')
    archive('n_append_number.pth', b'\x80\x02K\x01K\x02a.')
    archive('n_text_long.pth', b'\x80\x02X\xff\xff\xff\xff.')
    archive('n_text_negative.pth', b'\x80\x02X\x00\x00\x00\x80.')
    archive('n_long_long.pth', b'\x80\x02\x8a\xff\x01.')
    archive('n_name_open.pth', b'\x80\x02ctorch')
    archive('n_memo_missing.pth', b'\x80\x02h\x07.')
    archive('n_memo_huge.pth', b'\x80\x02}r\xff\xff\xff\x7f.')
    archive('n_self.pth', b'\x80\x02}q\x00' + text('state_dict') + b'h\x00s.')
    archive('n_no_dictionary.pth', b'\x80\x02' + tensor(storage()) + b'.')
    archive('n_no_tensor.pth', state(text('x'), integer(1)))
    archive('n_word.pth', state(text('x'), tensor(storage(word='module'))))
    archive('n_quantised.pth', state(text('x'), tensor(storage(kind=b'QInt8Storage'))))
    archive('n_no_storage.pth', state(text('x'), tensor(integer(3))))
    archive('n_key_missing.pth', state(text('x'), tensor(storage(key='9'))))
    archive('n_key_path.pth', state(text('x'), tensor(storage(key='../' * 60))))
    archive('n_storage_short.pth', state(text('x'), tensor(storage(n=7))))
    archive('n_storage_negative.pth', state(text('x'), tensor(storage(n=-6))))
    archive('n_offset.pth', state(text('x'), tensor(storage(), offset=1)))
    archive('n_offset_2e62.pth', state(text('x'), tensor(storage(), offset=2**62)))
    archive('n_offset_negative.pth', state(text('x'), tensor(storage(), offset=-1)))
    archive('n_shape_negative.pth', state(text('x'), tensor(storage(), shape=(-2, -3))))
    archive('n_shape_2e80.pth', state(text('x'), tensor(storage(), shape=(2**40, 2**40))))
    archive('n_shape_expanded.pth',
            state(text('x'), tensor(storage(), shape=(2**40, 1), stride=(0, 1))))
    archive('n_stride_2e62.pth', state(text('x'), tensor(storage(), stride=(2**62, 1))))
    archive('n_stride_missing.pth', state(text('x'), tensor(storage(), stride=(1,))))
    archive('n_rank_9.pth', state(text('x'), tensor(storage(), shape=(1,) * 9, stride=(1,) * 9)))
    archive('n_no_pickle.pth', None)
    archive('n_big_endian.pth', good, (('a/data/0', bytes(24)), ('a/byteorder', b'big')))
    archive('n_deflated.pth', good, (('a/data/0', bytes(24)),), zipfile.ZIP_DEFLATED)
    write('n_zip_magic.pth', b'PK\3\4' + bytes(60))
    save('n_module.pth', torch.nn.Linear(2, 2))
    b = io.BytesIO()
    torch.save({'x': count(torch.float32, 6)}, b, _use_new_zipfile_serialization=False)
    b = b.getvalue()
    write('n_legacy_count.pth', b[:-32] + struct.pack('<q', 2**61) + b[-24:])
    write('n_legacy_no_magic.pth', b'\x80\x02\x8a\x0a' + bytes(9) + b'\x01\x02' + b[15:])
    head = b[:15] + b'\x80\x02M\xe9\x03.' + b'\x80\x02}.'
    write('n_legacy_system.pth', head + b'\x80\x02cposix\nsystem\n' + tup(text('echo harm')) +
          b'R.')
    write('n_legacy_keys.pth', head + good + b'\x80\x02]K\x01a.')
    write('n_legacy_twice.pth', head + good + b'\x80\x02](' + text('0') * 2 + b'e.'
          + (struct.pack('<q', 6) + bytes(24)) * 2)
    write('n_legacy_none.pth', head + good + b'\x80\x02].')
    with tarfile.open(os.path.join(HERE, 'n_tar.pth'), 'w', format=tarfile.USTAR_FORMAT) as t:
        t.addfile(tarfile.TarInfo('storages'))


os.makedirs(HERE, exist_ok=True)
right()
wrong()
