#!/usr/bin/env python3
"""The files of test/data/data/zip, written by Python's zipfile and Pillow: y_* are sets of images,
n_* are refused. The files are committed.

y_edm.zip is what dataset_tool.py of EDM writes: stored members 00000/img00000000.png ... in folders
(of 4 here, of 1000 there), and dataset.json at the end. Image i is grey 10 i + 3 and has the label
(7 i) mod 5 + 2.
"""
import io
import json
import os
import struct
import zipfile
import zlib

from PIL import Image

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'zip')


def image(value):
    out = io.BytesIO()
    Image.new('L', (2, 2), value).save(out, 'PNG', compress_level=0, optimize=False)
    return out.getvalue()


def write(name, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(os.path.join(HERE, name), 'w', method) as z:
        for path, content in members:
            z.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), content, method)


def by_hand(name, path_of_entry):
    """A member at offset 0, and one entry of the directory at the end for each path."""
    data = image(9)
    crc = zlib.crc32(data)
    local = struct.pack('<4s5H3I2H', b'PK\3\4', 20, 0, 0, 0, 0x21, crc, len(data), len(data), 5,
                        0) + b'a.png' + data
    entries = b''.join(
        struct.pack('<4s6H3I5H2I', b'PK\1\2', 20, 20, 0, 0, 0, 0x21, crc, len(data), len(data),
                    len(p), 0, 0, 0, 0, 0, 0) + p for p in path_of_entry)
    end = struct.pack('<4s4H2IH', b'PK\5\6', 0, 0, len(path_of_entry), len(path_of_entry),
                      len(entries), len(local), 0)
    with open(os.path.join(HERE, name), 'wb') as f:
        f.write(local + entries + end)


def main():
    os.makedirs(HERE, exist_ok=True)
    names = ['%05d/img%08d.png' % (i // 4, i) for i in range(10)]
    labels = [[name, 7 * i % 5 + 2] for i, name in enumerate(names)]
    edm = [(name, image(10 * i + 3)) for i, name in enumerate(names)]
    write('y_edm.zip', edm + [('dataset.json', json.dumps({'labels': labels}))])
    write('y_unlabelled.zip', edm[:2] + [('dataset.json', json.dumps({'labels': None}))])
    classes = [('cat/a.png', image(1)), ('cat-2/b.png', image(2)), ('cat/x/c.png', image(3)),
               ('__MACOSX/cat/._a.png', b'junk'), ('readme.txt', b'text')]
    write('y_classes.zip', classes, zipfile.ZIP_DEFLATED)
    write('y_dot.zip', [('./a.png', image(1)), ('./', b'')])
    write('n_absolute.zip', [('/a.png', image(1))])
    write('n_dots.zip', [('b/../a.png', image(1))])
    write('n_backslash.zip', [('b\\a.png', image(1))])
    write('n_deep.zip', [('/'.join(['d'] * 70) + '/a.png', image(1))])
    write('n_twice.zip', [('a.png', image(1)), ('a.png', image(2))])
    write('n_file_and_folder.zip', [('a.png', image(1)), ('a.png/b.png', image(2))])
    write('n_labels.zip', edm[:2] + [('dataset.json', '{"labels": 3}')])
    write('n_no_images.zip', [('a.txt', b'text')])
    write('n_bomb.zip', [('a.png', b'\0' * (17 << 20))], zipfile.ZIP_DEFLATED)
    by_hand('n_overlap.zip', [b'a.png', b'b.png', b'c.png'])
    by_hand('y_other_name.zip', [b'b.png'])
    with open(os.path.join(HERE, 'y_edm.zip'), 'rb') as f:
        edm = f.read()
    cut = {'n_cut.zip': edm[:-40], 'n_crc.zip': edm.replace(b'IDAT', b'IDAU', 1)}
    for name, data in cut.items():
        with open(os.path.join(HERE, name), 'wb') as f:
            f.write(data)


main()
