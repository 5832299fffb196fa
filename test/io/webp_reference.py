#!/usr/bin/env python3
"""The files of test/io/data/webp, written by Pillow 13.0 (libwebp 1.6).

y_x.webp decodes to the pixels that Pillow decodes, which are in ../webp_pixels/x.png as RGBA.
n_ files are refused. The files are committed.
"""
import io
import os
import struct

from PIL import Image

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'webp')
PIXELS = HERE + '_pixels'
W, H = 23, 17


def picture(mode):
    im = Image.new(mode, (W, H))
    for y in range(H):
        for x in range(W):
            rgb = (11 * x, 15 * y, (6 * (x + y) + x * x * y * 7 % 31) % 256)
            im.putpixel((x, y), rgb if mode == 'RGB' else rgb + ((x * 40 + y) % 256,))
    return im


def encode(im, **options):
    out = io.BytesIO()
    im.save(out, 'WEBP', **options)
    return out.getvalue()


def write(name, data):
    with open(os.path.join(HERE, name), 'wb') as f:
        f.write(data)


def chunk(name, content):
    return name + struct.pack('<I', len(content)) + content + b'\0' * (len(content) % 2)


def riff(*chunks):
    body = b'WEBP' + b''.join(chunks)
    return b'RIFF' + struct.pack('<I', len(body)) + body


def main():
    os.makedirs(HERE, exist_ok=True)
    os.makedirs(PIXELS, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    good = {
        'lossless': encode(picture('RGB'), lossless=True),
        'lossy': encode(picture('RGB'), quality=80),
        'alpha': encode(picture('RGBA'), lossless=True, exact=True),
        'lossy_alpha': encode(picture('RGBA'), quality=80),
        'turned': encode(picture('RGB'), lossless=True, exif=exif),
    }
    for name, data in good.items():
        write('y_%s.webp' % name, data)
        pixels = Image.open(io.BytesIO(data))
        if name == 'turned':
            pixels = pixels.transpose(Image.Transpose.ROTATE_270)
        pixels.convert('RGBA').save(os.path.join(PIXELS, name + '.png'))
    frames = [picture('RGB'), picture('RGB').transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    out = io.BytesIO()
    frames[0].save(out, 'WEBP', save_all=True, append_images=frames[1:], lossless=True)
    write('n_animation.webp', out.getvalue())
    write('n_nothing.webp', b'')
    write('n_only_riff.webp', riff())
    write('n_other_riff.webp', b'RIFF\x24\0\0\0WAVEfmt ')
    # A lossless header of 16383 x 16383 pixels, then little.
    write('n_huge.webp', riff(chunk(b'VP8L', b'\x2f' + struct.pack('<I', 16382 | 16382 << 14) +
                                    b'\0' * 8)))
    write('n_chunk_2e32.webp', riff(b'VP8L' + b'\xff' * 4 + good['lossless'][20:]))
    write('n_damaged.webp', good['lossless'][:60] + b'\xff' * (len(good['lossless']) - 60))


main()
