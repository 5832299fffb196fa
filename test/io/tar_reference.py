#!/usr/bin/env python3
"""The files of test/io/data/tar, written by Python's tarfile: y_* are read, n_* are refused.
Each y_ file has the members that test_tar.c expects. The files are committed.
"""
import gzip
import io
import os
import struct
import tarfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'tar')
LONG = '/'.join(['directory-%02d' % i for i in range(18)]) + '/long.txt'  # above 100 + 155 bytes
LONGISH = '/'.join(['directory-%02d' % i for i in range(12)]) + '/prefix.txt'  # ustar's prefix


def trimmed(data):
    """Without the padding to 10,240 bytes, but with two blocks of zeros."""
    end = len(data)
    while not any(data[end - 512:end]):
        end -= 512
    return data[:end] + bytes(1024)


def archive(members, form):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=form) as t:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.size = len(content)
            info.linkname = 'a.txt' if kind == tarfile.SYMTYPE else ''
            t.addfile(info, io.BytesIO(content))
    return trimmed(out.getvalue())


def write(name, data):
    with open(os.path.join(HERE, name), 'wb') as f:
        f.write(data)


def sealed(block):
    """A header with the right sum."""
    block = block[:148] + b' ' * 8 + block[156:]
    return block[:148] + b'%06o\0 ' % sum(block) + block[156:]


def main():
    os.makedirs(HERE, exist_ok=True)
    file, folder, link = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE
    members = [('./a.txt', b'alpha', file), ('d', b'', folder), ('d/l', b'', link),
               ('d/b.txt', bytes(range(256)) * 3, file), (LONGISH, b'prefix', file),
               ('empty', b'', file)]
    ustar = archive(members, tarfile.USTAR_FORMAT)
    write('y_ustar.tar', ustar)
    more = members + [(LONG, b'long', file), ('z.txt', b'last', file)]
    write('y_pax.tar', archive(more, tarfile.PAX_FORMAT))
    write('y_gnu.tar', archive(more, tarfile.GNU_FORMAT))
    write('y_gzip.tar.gz', gzip.compress(ustar, mtime=0))
    write('y_two_gzip.tar.gz', gzip.compress(ustar[:1000], mtime=0) +
          gzip.compress(ustar[1000:], mtime=0))
    # GNU's number in base 256 for a size that octal digits could hold too
    base256 = ustar[:124] + b'\x80' + struct.pack('>3xQ', 5) + ustar[136:512]
    write('y_base256.tar', sealed(base256) + ustar[512:])

    write('n_nothing.tar', b'')
    write('n_no_end.tar', ustar[:-1024])
    write('n_cut.tar', ustar[:700])
    write('n_sum.tar', ustar[:10] + b'x' + ustar[11:])
    write('n_size.tar', sealed(ustar[:124] + b'77777777777\0' + ustar[136:512]) + ustar[512:])
    write('n_sparse.tar', sealed(ustar[:156] + b'S' + ustar[157:512]) + ustar[512:])
    write('n_text.tar', b'this is no archive' * 100)
    write('n_cut.tar.gz', gzip.compress(ustar, mtime=0)[:-30])
    write('n_bomb.tar.gz', gzip.compress(
        archive([('a.png', bytes(17 << 20) + b'1', file)], tarfile.USTAR_FORMAT), 9, mtime=0))
    pax = archive([(LONG, b'long', file)], tarfile.PAX_FORMAT)
    write('n_record.tar', pax[:512] + b'999999' + pax[518:])
    write('n_record_cut.tar', pax[:512] + b'5' + pax[513:])
    about = sealed(pax[:124] + b'00010000000\0' + pax[136:512])
    write('n_large_records.tar', about + pax[512:])


main()
