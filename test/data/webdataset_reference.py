#!/usr/bin/env python3
"""The shards of test/data/data/webdataset, written by webdataset 1.0.2: sample i of 10 is an image of
grey 10 i + 3, png or jpg in turn, with cls (7 i) mod 5, json {"label": name, "number": 7 i mod 5 + 2}
and a caption. Four samples are in a shard. The files are committed.

The reader of webdataset reads them back here, and prints what test_webdataset.c expects.
"""
import gzip
import io
import os

import webdataset
from PIL import Image

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'webdataset')
NAMES = ['dog', 'cat', 'ant', 'fox', 'bee']


def image(value, form):
    out = io.BytesIO()
    Image.new('L', (8, 8), value).save(out, form)
    return out.getvalue()


def trim(path):
    """Drop the padding to 10,240 bytes, but keep two blocks of zeros."""
    with open(path, 'rb') as f:
        data = f.read()
    end = len(data)
    while not any(data[end - 512:end]):
        end -= 512
    with open(path, 'wb') as f:
        f.write(data[:end] + bytes(1024))


def main():
    os.makedirs(HERE, exist_ok=True)
    paths = [os.path.join(HERE, 'shard-%06d.tar' % s) for s in range(3)]
    for s, path in enumerate(paths):
        with webdataset.TarWriter(path, mtime=0, user='', group='') as w:
            for i in range(4 * s, min(4 * s + 4, 10)):
                label = 7 * i % 5
                w.write({'__key__': 'set/%06d' % i, 'txt': 'caption', 'cls': label,
                         'json': {'label': NAMES[label], 'number': label + 2},
                         ('jpg' if i % 2 else 'png'): image(10 * i + 3, 'JPEG' if i % 2 else 'PNG')})
        trim(path)
    with open(paths[0], 'rb') as f:
        with open(os.path.join(HERE, 'packed.tar.gz'), 'wb') as out:
            out.write(gzip.compress(f.read(), mtime=0))
    for s in webdataset.WebDataset(paths, shardshuffle=False).decode('rgb8'):
        pixels = s['png'] if 'png' in s else s['jpg']
        print(s['__key__'], s['cls'], s['json'], pixels[0, 0, 0])


main()
