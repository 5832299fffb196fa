#!/usr/bin/env python3
"""Compares few with PyTorch and ONNX Runtime: the same network, batch and threads, in one run.

    bench/peers.py                                the U-Net of docs/performance.md, few and PyTorch
    bench/peers.py --net dit --case infer --ort   also ONNX Runtime, which only infers
    bench/peers.py --ort-path DIR                 ONNX Runtime from `pip install --target DIR`
    bench/peers.py --backend cuda --precision bf16 --compile --batch 512     on a GPU

It times steps that a user waits for: `infer` evaluates the network; `train` computes the loss, its
gradient, an Adam step and averaged weights; `jvp` evaluates the network with its tangent; `sct` is
a step of consistency training. peer_torch.py says what PyTorch does in each. The networks are those
of test/diffusion/net/torch_reference.py, which test_diffusion_net_torch compares with few's. ONNX
Runtime uses PyTorch's export.

Each case of each side runs in a process of its own, so the peak of memory is that of the case. The
sides take turns: few, PyTorch, ONNX Runtime, few, ... The speed of a round is the median of its
steps. The table has the median of the rounds, the slowest and the fastest round, and the ratio of
few to the side. FLOP are those of the matrix products and direct convolutions that a side computes
(PyTorch's sCT step has one forward pass more than few's). The peak is the rate of multiply-adds
that `few bench` measures with as many threads.

From PyPI, in a virtual environment: pip install torch onnxruntime onnxscript, and pass its Python
as --torch-python (since 2.9 PyTorch exports with onnxscript). From Debian: scripts/install-deps.sh
bench.

PyTorch runs in its fastest known set-up: with Debian's OpenBLAS with OpenMP if it is installed
(libopenblas0-openmp), and a malloc that keeps large blocks; on a GPU as described in peer_torch.py,
and with --compile through torch.compile too. On a GPU the peak is that of a large matrix product,
and memory is not compared. Run nothing else meanwhile.
"""
import argparse
import glob
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = ('infer', 'train', 'jvp', 'sct')
TITLE = {'few': 'few', 'torch': 'PyTorch', 'compiled': 'compiled', 'ort': 'ONNX Runtime'}

# Settings with which few's networks equal those of torch_reference.py, and the options of both
# sides with their defaults.
SAME = {'unet': ['resample=conv', 'skip_scale=1', 'modulation=adagn', 'time_scale=1000',
                 'group_channels=1'],
        'dit': ['modulation=adagn', 'time_scale=1000']}
OPTIONS = {'unet': {'channels': 64, 'mults': [1, 2, 2], 'blocks': 2, 'attention': [16],
                    'head_channels': 64, 'groups': 32},
           'dit': {'patch': 4, 'width': 384, 'depth': 12, 'heads': 6, 'embedding': 256}}

MISSING = {'torch': 'Debian: apt-get install python3-torch libopenblas0-openmp, and --torch-python '
                    '/usr/bin/python3; elsewhere, in a virtual environment: pip install torch numpy, and '
                    '--torch-python its Python',
           'ort': 'pip install onnxruntime where PyTorch is; or pip install --target DIR onnxruntime, '
                  'and --ort-path DIR'}


class Mistake(Exception):
    """A mistake of the user, with a sentence."""


def say(args, text):
    if not args.quiet:
        print(text, file=sys.stderr, flush=True)


# ---- processes ----

def run(command, env=None):
    """Returns the command's stdout and its peak memory in MiB, which includes a few MiB of this process."""
    with tempfile.TemporaryFile('w+') as errors:
        try:
            p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=env, text=True)
        except OSError as e:
            raise Mistake(f'cannot run {command[0]}: {e.strerror}')
        out = p.stdout.read()
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        if p.returncode:
            errors.seek(0)
            why = errors.read().strip().splitlines() or ['it printed no error']
            end = f'signal {-p.returncode}' if p.returncode < 0 else f'exit {p.returncode}'
            raise Mistake(f'{" ".join(command[:2])} ...: {end}: {why[-1]}')
        return out, usage.ru_maxrss / 1024


def environment(args, side):
    env = dict(os.environ)
    for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
        env[name] = str(args.threads)
    if side == 'torch':
        env.setdefault('MALLOC_MMAP_THRESHOLD_', str(1 << 32))
        env.setdefault('MALLOC_TRIM_THRESHOLD_', str(1 << 34))
        env.setdefault('MALLOC_TOP_PAD_', str(1 << 28))
        folders = glob.glob('/usr/lib/*/openblas-openmp') if args.blas == 'openmp' else []
        put_first(env, 'LD_LIBRARY_PATH', folders)
    elif side == 'ort' and args.ort_path:
        put_first(env, 'PYTHONPATH', [os.path.abspath(args.ort_path)])
    return env


def put_first(env, name, folders):
    parts = folders + [env[name]] if env.get(name) else folders
    if parts:
        env[name] = ':'.join(parts)


def worker(args, side, job):
    python = args.torch_python if side == 'torch' else args.ort_python
    command = [python, os.path.join(HERE, f'peer_{side}.py'), json.dumps(job)]
    try:
        out, memory = run(command, environment(args, side))
    except Mistake as e:  # a module that is needed later, such as that of the exporter
        module = re.search(r"No module named '([\w.]+)'", str(e))
        raise Mistake(f'{e}\n  {python} -m pip install {module[1]}' if module else str(e))
    return dict(json.loads(out.splitlines()[-1]), memory=memory if args.backend == 'cpu' else None)


def need(args, side, module, ready='0'):
    """Fails if a side is missing, with a sentence that says what to install."""
    python = args.torch_python if side == 'torch' else args.ort_python
    try:
        run([python, '-c', f'import {module}; {ready}'], environment(args, side))
    except Mistake as e:
        raise Mistake(f'{TITLE[side]} is not available: {e}\n  {MISSING[side]}')


# ---- one case of one side ----

def time_few(args, case):
    command = [args.few, 'bench', '--json', '--case', case, '--net', args.net]
    for key in ('size', 'channels', 'batch', 'shards', 'seconds', 'backend', 'precision'):
        command += ['--' + key, str(getattr(args, key))]
    command += ['--workers', str(args.threads)]
    for text in SAME[args.net] + args.set:
        command += ['--set', text]
    out, memory = run(command)
    report = json.loads(out)
    result = report['results'][0]
    return {'seconds': result['seconds'], 'gflop': result['gflop'],
            'memory': memory if args.backend == 'cpu' else None, 'machine': report['machine']}


def time_peer(args, side, case, job, about):
    job = dict(job, case=case, samples=args.samples, compile=side == 'compiled')
    r = worker(args, 'torch' if side == 'compiled' else side, job)
    return {'seconds': statistics.median(r['seconds']), 'memory': r['memory'],
            'gflop': about['gflop'][case] * args.batch}


def check_work(args, few, about):
    """Checks that both sides do the same work. Each side counts its own products."""
    if few['gflop'] and abs(about['gflop']['infer'] * args.batch / few['gflop'] - 1) > 0.02:
        raise Mistake(f"few's forward has {few['gflop']:.4g} GFLOP, PyTorch's "
                      f"{about['gflop']['infer'] * args.batch:.4g}: the networks differ")


def measure(args, job, about):
    """Returns {(case, side): results of the rounds}."""
    results = {}
    for n in range(args.rounds):
        for case in args.case:
            for side in args.sides:
                if side == 'ort' and case != 'infer':
                    continue
                if side == 'few':
                    r = time_few(args, case)
                    if case == 'infer':
                        check_work(args, r, about)
                else:
                    r = time_peer(args, side, case, job, about)
                results.setdefault((case, side), []).append(r)
                say(args, f'round {n + 1} of {args.rounds}: {case} {TITLE[side]}: '
                          f'{figure(args.batch / r["seconds"])} images/s')
    return results


# ---- output ----

def summary(args, results, about):
    machine = [r['machine'] for rs in results.values() for r in rs if 'machine' in r]
    peak = statistics.median(m['peak_gflops'] for m in machine)
    rows = []
    for (case, side), rounds in results.items():
        rates = [args.batch / r['seconds'] for r in rounds]
        rate = statistics.median(rates)
        speed = rounds[0]['gflop'] * rate / args.batch
        rows.append({'case': case, 'side': side, 'images_per_second': rate, 'rounds': rates,
                     'few_over_side': rate_of(rows, case, 'few', rate) / rate,
                     'gflop': rounds[0]['gflop'], 'gflops_per_second': speed,
                     'share_of_peak': speed / peak,
                     'peak_mib': max((r['memory'] for r in rounds if r['memory']), default=None)})
    return {'machine': dict(machine[0], peak_gflops=peak), 'net': args.net,
            'set': SAME[args.net] + args.set, 'size': args.size, 'channels': args.channels,
            'batch': args.batch, 'shards': args.shards, 'threads': args.threads,
            'backend': args.backend, 'precision': args.precision, 'versions': about['versions'], 'results': rows, 'relative': relative(rows)}


def rate_of(rows, case, side, otherwise=None):
    rates = [r['images_per_second'] for r in rows if (r['case'], r['side']) == (case, side)]
    return rates[0] if rates else otherwise


def relative(rows):
    """The cost of a tangent and of a consistency step, in other steps of the same side."""
    out = []
    for case, unit, text in (('jvp', 'infer', 'a JVP with its primal, in forwards'),
                             ('sct', 'train', 'an sCT step, in training steps')):
        sides = {}
        for side in ('few', 'torch', 'compiled'):
            one, other = rate_of(rows, case, side), rate_of(rows, unit, side)
            if one and other:
                sides[side] = other / one
        if sides:
            out.append({'what': text, **sides})
    return out


def figure(rate):
    return f'{rate:.0f}' if rate >= 1000 else f'{rate:.4g}'


def print_table(args, s):
    m, v = s['machine'], s['versions']
    who = (f"{args.threads} thread{'s' * (args.threads > 1)}" if args.backend == 'cpu'
           else args.precision)
    print(f"{m['cpu']}, {who}, peak {m['peak_gflops']:.1f} GFLOP/s")
    print(f"{args.net} {' '.join(args.set)}".rstrip() + f", {args.size} x {args.size} x "
          f"{args.channels}, batch {args.batch} (few: in {args.shards} shards), "
          f"{args.rounds} round{'s' * (args.rounds > 1)}")
    print('; '.join(v.values()) + '\n')
    print(f"{'case':6} {'side':12} {'images/s':>9} {'slowest':>9} {'fastest':>9} {'few/side':>9} "
          f"{'GFLOP/s':>9} {'of peak':>8} {'MiB':>7}")
    for r in s['results']:
        ratio = '' if r['side'] == 'few' else f"{r['few_over_side']:.2f}"
        print(f"{r['case']:6} {TITLE[r['side']]:12} {figure(r['images_per_second']):>9} "
              f"{figure(min(r['rounds'])):>9} {figure(max(r['rounds'])):>9} {ratio:>9} "
              f"{r['gflops_per_second']:9.1f} {100 * r['share_of_peak']:6.1f} % "
              + (f"{r['peak_mib']:7.0f}" if r['peak_mib'] else f"{'-':>7}"))
    if s['relative']:
        print()
    for r in s['relative']:
        print(f"{r['what']}: " + ', '.join(f'{TITLE[k]} {r[k]:.2f}' for k in TITLE if k in r))


# ---- the command line ----

def cases(text):
    names = text.split(',')
    for name in names:
        if name not in CASES:
            raise argparse.ArgumentTypeError(f"'{name}' is not one of {', '.join(CASES)}")
    return [c for c in CASES if c in names]


def positive(kind):
    def parse(text):
        value = kind(text)
        if not 0 < value < math.inf:
            raise ValueError
        return value
    parse.__name__ = f'positive {kind.__name__}'
    return parse


def options():
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter,
                                description=__doc__)
    count, few = positive(int), os.path.join(HERE, '..', 'build', 'release', 'few')
    p.add_argument('--net', choices=tuple(OPTIONS), default='unet')
    p.add_argument('--set', metavar='KEY=VALUE', action='append', default=[],
                   help='an option of the network on all sides, such as channels=32; may be repeated')
    p.add_argument('--size', type=count, default=32, help='height and width, pixels (32)')
    p.add_argument('--channels', type=count, default=3, help='channels of an image (3)')
    p.add_argument('--batch', type=count, default=64, help='images per step (64)')
    p.add_argument('--shards', type=count,
                   help='shards of a batch, in few (8 if that divides the batch; 1 on a GPU)')
    p.add_argument('--threads', type=count, help='threads of each side (one per processor)')
    p.add_argument('--backend', choices=('cpu', 'cuda'), default='cpu',
                   help='where each side runs (cpu)')
    p.add_argument('--precision', choices=('fp32', 'tf32', 'bf16'), default='fp32',
                   help='precision on a GPU (fp32)')
    p.add_argument('--compile', action='store_true', help='on a GPU, also time compiled PyTorch')
    p.add_argument('--case', type=cases, default=list(CASES), metavar='NAME,...',
                   help=','.join(CASES) + ' (all)')
    p.add_argument('--rounds', type=count, default=3, help='rounds of each side and case (3)')
    p.add_argument('--samples', type=count, default=4,
                   help='timed steps per round, for all sides except few (4)')
    p.add_argument('--seconds', type=positive(float), default=5,
                   help='time of the steps per round, for few (5)')
    p.add_argument('--few', default=few, metavar='PATH', help='the program (build/release/few)')
    p.add_argument('--torch-python', default=sys.executable, metavar='PATH',
                   help='the Python that has PyTorch (this one)')
    p.add_argument('--blas', choices=('openmp', 'system'), default='openmp',
                   help='BLAS of PyTorch: OpenBLAS with OpenMP if installed, or that of the system (openmp)')
    p.add_argument('--ort', action='store_true', help='also time ONNX Runtime')
    p.add_argument('--ort-python', metavar='PATH',
                   help='the Python that has ONNX Runtime; implies --ort')
    p.add_argument('--ort-path', metavar='DIR',
                   help='the folder that has ONNX Runtime; implies --ort')
    p.add_argument('--json', action='store_true', help='print a JSON object instead of the table')
    p.add_argument('--quiet', action='store_true', help='print no progress')
    args = p.parse_args()
    args.threads = args.threads or len(os.sched_getaffinity(0))
    args.shards = args.shards or (1 if args.backend == 'cuda'
                                  else math.gcd(args.batch, max(8, args.threads)))
    args.sides = ['few', 'torch'] + ['compiled'] * args.compile
    if args.ort or args.ort_python or args.ort_path:
        args.sides.append('ort')
    args.ort_python = args.ort_python or args.torch_python
    return args


def network(args):
    """The options in the form of torch_reference.py."""
    o = dict(OPTIONS[args.net], side=args.size, c=args.channels)
    for text in args.set:
        key, eq, value = text.partition('=')
        if not eq or key not in OPTIONS[args.net]:
            raise Mistake(f"--set {text}: both sides have {', '.join(OPTIONS[args.net])}")
        try:
            o[key] = [int(v) for v in value.split(',')] if isinstance(o[key], list) else int(value)
        except ValueError:
            raise Mistake(f'--set {text}: not a whole number')
    return o


def compare(args, folder):
    job = {'net': args.net, 'options': network(args), 'batch': args.batch, 'threads': args.threads,
           'onnx': os.path.join(folder, 'net.onnx') if 'ort' in args.sides else None,
           'device': args.backend, 'precision': args.precision, 'compile': False}
    if args.backend == 'cpu' and (args.compile or args.precision != 'fp32'):
        raise Mistake('--compile and --precision are for --backend cuda')
    if args.backend == 'cuda' and 'ort' in args.sides:
        raise Mistake('ONNX Runtime is compared on the CPU only: leave out --backend or --ort')
    if not shutil.which(args.few):
        raise Mistake(f'there is no program {os.path.relpath(args.few)}: run make build, or give '
                      '--few PATH')
    if args.batch % args.shards:
        raise Mistake(f'--batch {args.batch} cannot be divided into --shards {args.shards} equal parts')
    need(args, 'torch', 'torch, numpy')
    if args.backend == 'cuda':
        need(args, 'torch', 'torch', 'torch.cuda.init()')
    if 'ort' in args.sides:
        need(args, 'ort', 'onnxruntime')
    load = os.getloadavg()[0]
    if load > 0.5:
        say(args, f'note: this machine is busy (load {load:.1f}), which makes the results less exact')
    about = worker(args, 'torch', dict(job, case='describe'))
    about['versions'] = {'few': run([args.few, 'version'])[0].splitlines()[0],
                         'torch': about['version']}
    if 'ort' in args.sides:
        about['versions']['ort'] = worker(args, 'ort', dict(job, case='describe'))['version']
    return summary(args, measure(args, job, about), about)


def main():
    args = options()
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = compare(args, folder)
    except Mistake as e:
        sys.exit(f'peers: {e}')
    except KeyboardInterrupt:
        sys.exit(130)
    if args.json:
        print(json.dumps(result))
    else:
        print_table(args, result)


main()
