#!/usr/bin/env python3
"""Rounding errors of few and PyTorch in fp32 and bf16, in F of whole networks and in its tangent.

    bench/accuracy.py                       the table of docs/performance.md
    bench/accuracy.py --forms NAME=MODEL    both forms of the tangent, as in docs/methods.md
    bench/accuracy.py --train NAME=MODEL    short runs of sCD with both forms, of points

Networks: `fashion-teacher` is the shipped model, on images that it makes. `unet64` and `dit` are
the networks of bench/peers.py with random weights in every tensor, on normal noise; `dit-bf16` is
the same DiT, but PyTorch's residual stream is in bf16 like few's (positions are added in bf16, so
sums are not promoted to float32). NAME=MODEL is another model file (mlp, or unet with resample =
filter).

few and PyTorch compute with the same weights (torch_model.py reads few's files; torch_reference.py
writes few's files from PyTorch), the same x_t and t, and the same tangent
cos t sin t (dx_t/dt, 1) of the straight path. An error is the root mean square, over all values at
one time, of the difference from a float64 reference that PyTorch computes, relative to the root
mean square of the reference. few's bf16 is --precision bf16. PyTorch's bf16 is autocast, with the
exceptions that torch_accuracy.py names.

--forms compares two ways to compute cos t sin t dF/dt: as one tangent (rearranged), or as dF/dt,
multiplied by cos t sin t at the end (raw). The table has the largest tangent in the output of any
PyTorch function in fp32, and the errors in PyTorch's fp16 and bf16 and in few's bf16. "2/8 lost"
means that in two of eight rows a value is not finite, so no error is given. few computes points
only in fp32.

--train trains a student of a model of points in PyTorch, in fp32, bf16 and fp16 (torch_half.py).
The table counts steps with a tangent that is not finite ("tangents lost"), and steps with a
gradient that is not finite ("gradients lost"), which GradScaler skips in fp16. It also has
GradScaler's scale at the end (65,536 at the start), and the distance of one-step samples from the
end of the teacher's flow, after training and before it.

Needs build/release/few and build/release/bench/few_answer (cmake --build --preset release --target
few_program few_answer), and a Python with PyTorch and NumPy (pip install torch numpy); give its
path as --torch-python if it is not the one that runs this script.
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SHIPPED = {'fashion-teacher': os.path.join(ROOT, 'models', 'fashion-teacher.safetensors')}
RANDOM = ('unet64', 'dit', 'dit-bf16')
FORMS = ('raw', 'rearranged')
SIDES = {'errors': [('few', 'fp32'), ('torch', 'fp32'), ('few', 'bf16'), ('torch', 'bf16')],
         'forms': [('torch', 'fp16'), ('torch', 'bf16'), ('few', 'bf16')]}
TITLE = {'few': 'few', 'torch': 'PyTorch'}


def times(text):
    return [float(t) for t in text.split(',')]


def network(text):
    name, eq, path = text.partition('=')
    if eq:
        return name, path
    if name in SHIPPED or name in RANDOM:
        return name, SHIPPED.get(name, '')
    known = ', '.join([*SHIPPED, *RANDOM])
    raise argparse.ArgumentTypeError(f"'{name}' is none of {known}; a model file is NAME=MODEL")


def options():
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter,
                                description=__doc__)
    build = os.path.join(ROOT, 'build', 'release')
    p.add_argument('network', nargs='*', type=network, metavar='NETWORK',
                   help='fashion-teacher, unet64, dit, dit-bf16 or NAME=MODEL (default: the first '
                   'four)')
    p.add_argument('--forms', action='store_true', help='compare both forms of the tangent')
    p.add_argument('--train', action='store_true', help='train with both forms of the tangent')
    p.add_argument('--steps', type=int, default=150, help='--train: steps of each run (150)')
    p.add_argument('--times', type=times, default=[0.005, 0.1, 0.8, 1.5, 1.56], metavar='T,...',
                   help='times in radians (0.005,0.1,0.8,1.5,1.56)')
    p.add_argument('--rows', type=int,
                   help='images at each time (4); --train: rows per step (512)')
    p.add_argument('--threads', type=int, default=len(os.sched_getaffinity(0)),
                   help='threads of PyTorch (one per processor)')
    p.add_argument('--few', default=os.path.join(build, 'few'), metavar='PATH',
                   help='the program (build/release/few)')
    p.add_argument('--answer', default=os.path.join(build, 'bench', 'few_answer'), metavar='PATH',
                   help='the program that computes tangents (build/release/bench/few_answer)')
    p.add_argument('--torch-python', default=sys.executable, metavar='PATH',
                   help='the Python that has PyTorch (this one)')
    p.add_argument('--markdown', action='store_true', help='print a table in Markdown')
    p.add_argument('--json', action='store_true', help='print a JSON object')
    args = p.parse_args()
    args.network = args.network or [network(name) for name in [*SHIPPED, *RANDOM]]
    args.rows = args.rows or (512 if args.train else 4)
    if args.train and not all(path for _, path in args.network):
        p.error('--train: give model files of points, NAME=MODEL')
    return args


def check(args):
    for path, target in ((args.few, 'few_program'), (args.answer, 'few_answer')):
        if not os.access(path, os.X_OK):
            sys.exit(f'accuracy: no program {os.path.relpath(path)}: '
                     f'cmake --build --preset release --target {target}')
    for name, path in args.network:
        if path and not os.path.exists(path):
            sys.exit(f'accuracy: there is no model {path}')
    try:
        subprocess.run([args.torch_python, '-c', 'import torch, numpy'], check=True,
                       capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(f'accuracy: {args.torch_python} cannot import torch and numpy: install them in a '
                 'virtual environment (pip install torch numpy), and name its Python by '
                 '--torch-python')


def measure(args):
    job = {'few': args.few, 'answer': args.answer, 'rows': args.rows, 'threads': args.threads,
           'times': args.times, 'networks': args.network,
           'sides': SIDES['forms' if args.forms else 'errors'],
           'forms': FORMS if args.forms or args.train else FORMS[1:],
           'steps': args.steps, 'precisions': ['fp32', 'bf16', 'fp16']}
    file = 'torch_half.py' if args.train else 'torch_accuracy.py'
    worker = [args.torch_python, '-W', 'ignore', os.path.join(HERE, file)]
    p = subprocess.run(worker + [json.dumps(job)], stdout=subprocess.PIPE, text=True)
    if p.returncode:
        sys.exit("accuracy: PyTorch's side failed; its error is above")
    return json.loads(p.stdout)


# ---- output ----

def small(x):
    return f'{x:.1e}'


def size(x):
    return f'{x:.2g}' if x < 100 else f'{x:,.0f}'


def error_table(args, results):
    columns = [(s, p, k) for k in ('y', 'dy') for s, p in SIDES['errors']]
    head = ['network', 't'] + [f"{'F' if k == 'y' else 'dF'}: {TITLE[s]}, {p}"
                               for s, p, k in columns]
    rows = []
    for r in results:
        for at in r['rows']:
            found = [at['rearranged'][f'{s} {p}'][k] for s, p, k in columns]
            rows.append([r['network'], f"{at['t']:g}"] + [small(x) for x in found])
    return head, rows


def form_cell(at, rows):
    if not at:  # few computes points in fp32
        return ''
    return f"{round(at['lost'] * rows)}/{rows} lost" if at['lost'] else small(at['dy'])


def form_table(args, results):
    columns = [(s, p, form) for s, p in SIDES['forms'] for form in FORMS]
    head = ['network', 't'] + [f'largest, {form}' for form in FORMS]
    head += [f'{TITLE[s]} {p}, {form}' for s, p, form in columns]
    rows = []
    for r in results:
        for at in r['rows']:
            cells = [size(at[form]['way']) for form in FORMS]
            cells += [form_cell(at[form].get(f'{s} {p}'), args.rows) for s, p, form in columns]
            rows.append([r['network'], f"{at['t']:g}"] + cells)
    return head, rows


def train_table(args, results):
    head = ['network', 'precision', 'dF/dt', 'tangents lost', 'gradients lost', 'loss scale',
            'distance', 'before']
    rows = []
    for r in results:
        scale = f"{r['scale']:.3g}" if r['precision'] == 'fp16' else ''
        rows.append([r['network'], r['precision'], r['form'], f"{r['lost']}/{args.steps}",
                     f"{r['skipped']}/{args.steps}", scale, f"{r['distance']:.3f}",
                     f"{r['before']:.3f}"])
    return head, rows


def main():
    args = options()
    check(args)
    result = measure(args)
    if args.json:
        print(json.dumps(result))
        return
    table = train_table if args.train else form_table if args.forms else error_table
    head, rows = table(args, result['results'])
    each = 'per step' if args.train else 'at each time'
    print(f"PyTorch {result['version']}, {args.rows} rows {each}.\n")
    if args.markdown:
        print('| ' + ' | '.join(head) + ' |\n' + '|---' * len(head) + '|')
        for row in rows:
            print('| ' + ' | '.join(row) + ' |')
        return
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print('  '.join(cell.rjust(w) for cell, w in zip(row, widths)))


main()
