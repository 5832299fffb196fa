#!/usr/bin/env python3
"""Compares few with PyTorch, OpenVINO and ONNX Runtime, with equal network, batch and threads.

    bench/peers.py                                the U-Net of docs/performance.md, few and PyTorch
    bench/peers.py --net dit --case infer --ort   also ONNX Runtime, for inference only
    bench/peers.py --compile --openvino --precision fp32,bf16    the usual choices of servers, CPU
    bench/peers.py --backend cuda --precision bf16 --compile --batch 512     on a GPU

It times whole steps: `infer` evaluates the network, `train` is loss, gradient, Adam and averaged
weights, `jvp` is the network with its tangent, `sct` a step of consistency training (peer_torch.py
describes each for PyTorch). The networks are those of test/diffusion/net/torch_reference.py, which
test_diffusion_net_torch compares with few's; OpenVINO and ONNX Runtime run PyTorch's export.

Settings: on the CPU each side first tries its settings (SETTINGS below) for each case and
precision, with a step of warm-up and --tries steps each, and keeps the fastest. A setting that
fails is left out. The table names the setting that was kept. --setting SIDE=NAME tries only the
settings with NAME in their name, if there are any.

Rounds: each case of each side runs in a process of its own, so that its peak memory is measured.
The sides take turns: few, PyTorch, OpenVINO, few ... The figure of a round is the median of its
steps. The table has the median of the rounds, the slowest and the fastest round, and few's rate
divided by that of the side at the same precision. FLOP are counted in products and direct
convolutions of the side (PyTorch's sCT step has one forward more than few's). The peak is the rate
of multiply-adds that `few bench` measures with as many threads.

Precision: bf16 is few's own, PyTorch's autocast, and OpenVINO's INFERENCE_PRECISION_HINT. ONNX
Runtime has no bf16 on CPUs and computes only in fp32.

To install from PyPI, in a virtual environment: pip install torch onnxscript onnxruntime openvino,
and give its Python as --torch-python (PyTorch exports with onnxscript since 2.9). torch.compile
needs a C++ compiler on CPUs. To install from Debian: scripts/install-deps.sh bench.

PyTorch uses Debian's OpenBLAS with OpenMP if it is installed (libopenblas0-openmp), and a malloc
that keeps large blocks. On a GPU each side has one setting (peer_torch.py), the peak is that of a
large product, and memory is not compared. Run nothing else meanwhile.
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
TITLE = {'few': 'few', 'torch': 'PyTorch', 'compiled': 'compiled', 'openvino': 'OpenVINO',
         'ort': 'ONNX Runtime'}
MODULE = {'torch': 'torch', 'compiled': 'torch', 'openvino': 'openvino', 'ort': 'onnxruntime'}
INFERS = ('openvino', 'ort')  # for inference only

# The settings that PyTorch and ONNX Runtime try on the CPU (few and OpenVINO: settings() below).
# peer_torch.py describes the keys.
SDPA, NHWC = {'sdpa': True}, {'channels_last': True, 'sdpa': True}
SETTINGS = {'torch': ({}, SDPA, NHWC),
            'compiled': ({'compile': True, **SDPA}, {'compile': True, **NHWC}),
            'frozen': ({'compile': True, 'freeze': True, **SDPA},
                       {'compile': True, 'freeze': True, **NHWC}),
            'ort': ({},)}
WORDS = {'channels_last': 'channels last', 'sdpa': 'sdpa', 'compile': 'compiled',
         'freeze': 'frozen'}
UNITS = ('avx2', 'avx512f', 'avx512_bf16', 'amx_tile', 'amx_bf16', 'asimd', 'bf16', 'sve')

# Settings with which few's networks equal those of torch_reference.py, and the options of both
# sides with their defaults.
SAME = {'unet': ['resample=conv', 'skip_scale=1', 'modulation=adagn', 'time_scale=1000',
                 'group_channels=1'],
        'dit': ['modulation=adagn', 'time_scale=1000']}
OPTIONS = {'unet': {'channels': 64, 'mults': [1, 2, 2], 'blocks': 2, 'attention': [16],
                    'head_channels': 64, 'groups': 32},
           'dit': {'patch': 4, 'width': 384, 'depth': 12, 'heads': 6, 'embedding': 256}}

MISSING = {'torch': 'Debian: apt-get install python3-torch libopenblas0-openmp, and --torch-python '
                    '/usr/bin/python3; elsewhere, in a virtual environment: pip install torch '
                    'numpy, and --torch-python its Python',
           'openvino': 'pip install openvino where PyTorch is; or --openvino-python the Python '
                       'that has it',
           'ort': 'pip install onnxruntime where PyTorch is; or pip install --target DIR '
                  'onnxruntime, and --ort-path DIR'}


class Mistake(Exception):
    """A mistake of the user, with a sentence."""


def say(args, text):
    if not args.quiet:
        print(text, file=sys.stderr, flush=True)


# ---- processes ----

def run(command, env=None):
    """Returns the command's stdout and its peak memory in MiB.

    The memory includes a few MiB of this process.
    """
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
    if MODULE[side] == 'torch':
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


def python_of(args, side):
    return {'openvino': args.openvino_python, 'ort': args.ort_python}.get(side, args.torch_python)


def worker(args, side, job):
    """Returns the answer of the side's program, and its peak memory in MiB."""
    python, file = python_of(args, side), 'torch' if side == 'compiled' else side
    command = [python, os.path.join(HERE, f'peer_{file}.py'), json.dumps(job)]
    try:
        out, memory = run(command, environment(args, side))
    except Mistake as e:  # a module may be missing that another one needs, such as the exporter's
        module = re.search(r"No module named '([\w.]+)'", str(e))
        raise Mistake(f'{e}\n  {python} -m pip install {module[1]}' if module else str(e))
    return json.loads(out.splitlines()[-1]), memory if args.backend == 'cpu' else None


def need(args, side, modules, ready='0'):
    """Fails if a side is missing; the message names the packages to install."""
    try:
        run([python_of(args, side), '-c', f'import {modules}; {ready}'], environment(args, side))
    except Mistake as e:
        raise Mistake(f'{TITLE[side]} is not available: {e}\n  {MISSING[side]}')


# ---- settings ----

def name_of(setting):
    """The name of a setting, for --setting and the table."""
    counts = [f"{setting[k]} {k if setting[k] > 1 else k[:-1]}"
              for k in ('shards', 'streams') if k in setting]
    return ', '.join(counts + [word for key, word in WORDS.items() if setting.get(key)]) or 'plain'


def settings(args, side, case):
    """All settings that the side may try."""
    if side == 'few':
        found = [{'shards': n} for n in args.shards]
    elif side == 'openvino':
        found = [{'streams': n} for n in streams(args)]
    elif args.backend == 'cuda':
        found = [dict(NHWC, compile=side == 'compiled')]
    else:
        found = list(SETTINGS[side])
        if side == 'compiled' and case == 'infer':
            found += SETTINGS['frozen']
        if args.net == 'dit':  # one convolution, of the patches
            found = [s for s in found if s == NHWC or not s.get('channels_last')]
    for key, _, name in (text.partition('=') for text in args.setting):
        if key == side:
            found = [s for s in found if name in name_of(s)] or found
    return found


def streams(args):
    return sorted({1, math.gcd(args.batch, args.threads)})


# ---- one case of one side ----

def time_few(args, case, precision, setting, seconds):
    command = [args.few, 'bench', '--json', '--case', case, '--net', args.net]
    for key in ('size', 'channels', 'batch', 'backend'):
        command += ['--' + key, str(getattr(args, key))]
    command += ['--shards', str(setting['shards']), '--seconds', str(seconds)]
    command += ['--precision', precision]
    command += ['--workers', str(args.threads)]
    for text in SAME[args.net] + args.set:
        command += ['--set', text]
    out, memory = run(command)
    report = json.loads(out)
    result = report['results'][0]
    return {'seconds': result['seconds'], 'gflop': result['gflop'],
            'memory': memory if args.backend == 'cpu' else None, 'machine': report['machine']}


def time_peer(args, side, case, precision, job, found, samples, warm_up):
    """[{'seconds' or 'error'}] of the settings that were found, and the memory of the process."""
    job = dict(job, case=case, precision=precision, settings=found, samples=samples,
               warm_up=warm_up)
    if side not in INFERS:
        job['onnx'] = {}
    return worker(args, side, job)


def try_settings(args, side, case, precision, job):
    """[{'setting', 'seconds' or 'error'}], the fastest first."""
    found, tried = settings(args, side, case), []
    if len(found) == 1:
        return [{'setting': found[0]}]
    if side == 'few':
        for setting in found:
            r = time_few(args, case, precision, setting, args.seconds / 4)
            tried.append({'setting': setting, 'seconds': r['seconds']})
    else:
        answers, _ = time_peer(args, side, case, precision, job, found, args.tries, 1)
        for setting, r in zip(found, answers):
            seconds = min(r['seconds']) if 'seconds' in r else None
            tried.append({'setting': setting, 'seconds': seconds, **({} if seconds else r)})
    tried.sort(key=lambda t: t['seconds'] or math.inf)
    for t in tried:
        rate = f"{figure(args.batch / t['seconds'])} images/s" if t['seconds'] else t['error']
        say(args, f"tried: {case} {TITLE[side]} {precision}, {name_of(t['setting'])}: {rate}")
    return tried


def time_side(args, run_of, setting, job, about):
    case, side, precision = run_of
    if side == 'few':
        return time_few(args, case, precision, setting, args.seconds)
    answers, memory = time_peer(args, side, case, precision, job, [setting], args.samples,
                                args.warm_up)
    if 'error' in answers[0]:
        raise Mistake(f"{case} {TITLE[side]} {precision}, {name_of(setting)}: "
                      + answers[0]['error'])
    return {'seconds': statistics.median(answers[0]['seconds']), 'memory': memory,
            'gflop': about['gflop'][case] * args.batch}


def check_work(args, few, about):
    """Checks that both sides do the same work. Each side counts its own products."""
    if few['gflop'] and abs(about['gflop']['infer'] * args.batch / few['gflop'] - 1) > 0.02:
        raise Mistake(f"few's forward has {few['gflop']:.4g} GFLOP, PyTorch's "
                      f"{about['gflop']['infer'] * args.batch:.4g}: the networks differ")


def runs(args):
    """(case, side, precision) in the order of a round."""
    return [(case, side, precision) for case in args.case for precision in args.precision
            for side in args.sides
            if (side not in INFERS or case == 'infer') and (side != 'ort' or precision == 'fp32')]


def measure(args, job, about):
    """{(case, side, precision): results of the rounds}, and what was tried for each."""
    results, tried = {}, {}
    for key in runs(args):
        found = try_settings(args, key[1], key[0], key[2], job)
        if found[0].get('error'):
            say(args, f"note: {key[0]} {TITLE[key[1]]} {key[2]} is left out: {found[0]['error']}")
        else:
            tried[key] = found
    for n in range(args.rounds):
        for key, found in list(tried.items()):
            try:
                r = time_side(args, key, found[0]['setting'], job, about)
            except Mistake as e:
                if key[1] in ('few', 'torch'):  # the comparison needs both
                    raise
                say(args, f'note: left out from here on: {e}')
                del tried[key]
                continue
            if key[:2] == ('infer', 'few'):
                check_work(args, r, about)
            results.setdefault(key, []).append(r)
            say(args, f'round {n + 1} of {args.rounds}: {key[0]} {TITLE[key[1]]} {key[2]}: '
                      f'{figure(args.batch / r["seconds"])} images/s')
    return results, tried


# ---- output ----

def cpu():
    """From /proc/cpuinfo: family and model (Intel, AMD), and the units for vectors and matrices."""
    try:
        with open('/proc/cpuinfo') as f:
            lines = dict(re.findall(r'^([^:\t]+)\t*: (.*)$', f.read().split('\n\n')[0], re.M))
    except OSError:
        return {'family': None, 'units': []}
    flags = (lines.get('flags') or lines.get('Features') or '').split()
    family = None
    if 'cpu family' in lines:
        family = f"family {lines['cpu family']} model {lines['model']}"
    return {'family': family, 'units': [u for u in UNITS if u in flags]}


def summary(args, measured, about):
    results, tried = measured
    machine = [r['machine'] for rs in results.values() for r in rs if 'machine' in r]
    if not machine:
        raise Mistake('few was not measured')
    peak, rows = statistics.median(m['peak_gflops'] for m in machine), []
    for (case, side, precision), rounds in results.items():
        if (case, side, precision) not in tried:  # failed in a later round
            continue
        rates = [args.batch / r['seconds'] for r in rounds]
        rate = statistics.median(rates)
        speed = rounds[0]['gflop'] * rate / args.batch
        best = tried[case, side, precision]
        rows.append({'case': case, 'side': side, 'precision': precision,
                     'setting': name_of(best[0]['setting']),
                     'images_per_second': rate, 'rounds': rates,
                     'few_over_side': rate_of(rows, case, 'few', precision, rate) / rate,
                     'gflop': rounds[0]['gflop'], 'gflops_per_second': speed,
                     'share_of_peak': speed / peak,
                     'peak_mib': max((r['memory'] for r in rounds if r['memory']), default=None),
                     'tried': [dict(t, setting=name_of(t['setting'])) for t in best]})
    return {'machine': dict(machine[0], peak_gflops=peak, **cpu()), 'net': args.net,
            'set': SAME[args.net] + args.set, 'size': args.size, 'channels': args.channels,
            'batch': args.batch, 'threads': args.threads,
            'backend': args.backend, 'precision': ','.join(args.precision),
            'versions': about['versions'], 'results': rows, 'relative': relative(args, rows)}


def rate_of(rows, case, side, precision, otherwise=None):
    rates = [r['images_per_second'] for r in rows
             if (r['case'], r['side'], r['precision']) == (case, side, precision)]
    return rates[0] if rates else otherwise


def relative(args, rows):
    """The cost of a tangent and of a consistency step, in other steps of the same side."""
    out = []
    for precision in args.precision:
        for case, unit, text in (('jvp', 'infer', 'a JVP with its primal, in forwards'),
                                 ('sct', 'train', 'an sCT step, in training steps')):
            sides = {}
            for side in ('few', 'torch', 'compiled'):
                one, other = (rate_of(rows, c, side, precision) for c in (case, unit))
                if one and other:
                    sides[side] = other / one
            if sides:
                out.append({'what': f'{text}, {precision}', **sides})
    return out


def best_other(rows, case, precision):
    others = [r for r in rows
              if (r['case'], r['precision']) == (case, precision) and r['side'] != 'few']
    return max(others, key=lambda r: r['images_per_second'], default=None)


def figure(rate):
    return f'{rate:.0f}' if rate >= 1000 else f'{rate:.4g}'


def heading(args, s):
    """Lines: the processor and its units, network, versions, how each side gets its precision."""
    m = s['machine']
    who = m['cpu']
    if args.backend == 'cpu':
        who += f" ({m['family']})" if m['family'] else ''
        who += ', ' + (' '.join(m['units']) or 'no vector units known')
        who += ', matrix units amx_tile' if 'amx_tile' in m['units'] else ', no matrix units'
        who += f", {args.threads} thread{'s' * (args.threads > 1)}"
    ways = {'few': 'its own', 'torch': 'autocast', 'compiled': 'autocast',
            'openvino': 'INFERENCE_PRECISION_HINT'}
    how = ', '.join(f'{TITLE[side]} {way}' for side, way in ways.items() if side in args.sides)
    return [f"{who}, peak {m['peak_gflops']:.1f} GFLOP/s",
            f"{args.net} {' '.join(args.set)}".rstrip() + f", {args.size} x {args.size} x "
            f"{args.channels}, batch {args.batch}, {args.rounds} round{'s' * (args.rounds > 1)}",
            '; '.join(s['versions'].values()),
            'precision ' + ' and '.join(args.precision)
            + (f' (bf16: {how})' if 'bf16' in args.precision else '')]


def print_table(args, s):
    print('\n'.join(heading(args, s)) + '\n')
    print(f"{'case':6} {'side':12} {'':5} {'images/s':>9} {'slowest':>9} {'fastest':>9} "
          f"{'few/side':>9} {'GFLOP/s':>9} {'of peak':>8} {'MiB':>7}  setting")
    for r in s['results']:
        ratio = '' if r['side'] == 'few' else f"{r['few_over_side']:.2f}"
        print(f"{r['case']:6} {TITLE[r['side']]:12} {r['precision']:5} "
              f"{figure(r['images_per_second']):>9} "
              f"{figure(min(r['rounds'])):>9} {figure(max(r['rounds'])):>9} {ratio:>9} "
              f"{r['gflops_per_second']:9.1f} {100 * r['share_of_peak']:6.1f} % "
              + (f"{r['peak_mib']:7.0f}" if r['peak_mib'] else f"{'-':>7}") + f"  {r['setting']}")
    if s['relative']:
        print()
    for r in s['relative']:
        print(f"{r['what']}: " + ', '.join(f'{TITLE[k]} {r[k]:.2f}' for k in TITLE if k in r))


NAMES = {'infer': 'inference', 'train': 'training step', 'jvp': 'JVP', 'sct': 'sCT step'}


def print_markdown(args, s):
    """The heading, a table of images/s as in docs/performance.md, and the settings kept."""
    rows = s['results']
    print('. '.join(heading(args, s)) + '.\n')
    columns = [(side, p) for p in args.precision for side in args.sides
               if any((r['side'], r['precision']) == (side, p) for r in rows)]
    titles = [f'{TITLE[side]}, {p}' for side, p in columns]
    titles += [f'few / best other, {p}' for p in args.precision]
    print('| images/s | ' + ' | '.join(titles) + ' |')
    print('|---' * (1 + len(titles)) + '|')
    for case in args.case:
        rates = [rate_of(rows, case, side, p) for side, p in columns]
        cells = [f'{rate:.3g}' if rate else '' for rate in rates]
        for p in args.precision:
            few, other = rate_of(rows, case, 'few', p), best_other(rows, case, p)
            cells.append(f"{few / other['images_per_second']:.2f}" if few and other else '')
        print(f'| {NAMES[case]} | ' + ' | '.join(cells) + ' |')
    print('\nSettings:\n')
    for case in args.case:
        kept = [f"{TITLE[r['side']]} {r['precision']} {r['setting']}"
                for r in rows if r['case'] == case]
        print(f"- {NAMES[case]}: {'; '.join(kept)}")


# ---- the command line ----

def cases(text):
    names = text.split(',')
    for name in names:
        if name not in CASES:
            raise argparse.ArgumentTypeError(f"'{name}' is not one of {', '.join(CASES)}")
    return [c for c in CASES if c in names]


def precisions(text):
    names = text.split(',')
    for name in names:
        if name not in ('fp32', 'tf32', 'bf16'):
            raise argparse.ArgumentTypeError(f"'{name}' is none of fp32, tf32, bf16")
    return names


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
                   help='an option of the network on all sides, such as channels=32; '
                        'may be repeated')
    p.add_argument('--size', type=count, default=32,
                   help='height and width of an image, in pixels (32)')
    p.add_argument('--channels', type=count, default=3, help='channels of an image (3)')
    p.add_argument('--batch', type=count, default=64, help='images per step (64)')
    p.add_argument('--shards', type=count,
                   help="few's shards of a batch (the faster of 8 and 16; on a GPU 1)")
    p.add_argument('--threads', type=count, help='threads of each side (one per processor)')
    p.add_argument('--backend', choices=('cpu', 'cuda'), default='cpu',
                   help='the device of all sides (cpu)')
    p.add_argument('--precision', type=precisions, default=['fp32'], metavar='NAME,...',
                   help='fp32, bf16, or, on a GPU, tf32 (fp32)')
    p.add_argument('--compile', action='store_true', help='also compiled PyTorch')
    p.add_argument('--setting', metavar='SIDE=NAME', action='append', default=[],
                   help='try only these settings of a side: torch=plain, compiled=channels ...')
    p.add_argument('--case', type=cases, default=list(CASES), metavar='NAME,...',
                   help='steps to time: ' + ','.join(CASES) + ' (all)')
    p.add_argument('--rounds', type=count, default=3, help='rounds of each side and case (3)')
    p.add_argument('--samples', type=count, default=4, help="a peer's timed steps per round (4)")
    p.add_argument('--warm-up', type=count, default=2,
                   help="a peer's steps before the timed ones (2)")
    p.add_argument('--tries', type=count, default=1, help="a peer's steps to try a setting (1)")
    p.add_argument('--seconds', type=positive(float), default=5,
                   help="seconds of few's steps per round (5)")
    p.add_argument('--few', default=few, metavar='PATH', help='the program (build/release/few)')
    p.add_argument('--torch-python', default=sys.executable, metavar='PATH',
                   help='the Python that has PyTorch (this one)')
    p.add_argument('--blas', choices=('openmp', 'system'), default='openmp',
                   help="PyTorch's BLAS: OpenBLAS with OpenMP if installed, or the system's "
                        "(openmp)")
    p.add_argument('--ort', action='store_true', help='also ONNX Runtime')
    p.add_argument('--ort-python', metavar='PATH',
                   help='the Python that has ONNX Runtime; implies --ort')
    p.add_argument('--ort-path', metavar='DIR', help='the folder of ONNX Runtime; implies --ort')
    p.add_argument('--openvino', action='store_true', help='also OpenVINO')
    p.add_argument('--openvino-python', metavar='PATH',
                   help='the Python that has OpenVINO; implies --openvino')
    p.add_argument('--markdown', action='store_true',
                   help='print the table in the form of docs/performance.md')
    p.add_argument('--json', action='store_true', help='print a JSON object instead of the table')
    p.add_argument('--quiet', action='store_true', help='print no progress on stderr')
    return complete(p.parse_args())


def complete(args):
    args.threads = args.threads or len(os.sched_getaffinity(0))
    if args.shards:
        args.shards = [args.shards]
    elif args.backend == 'cuda':
        args.shards = [1]
    else:
        args.shards = sorted({math.gcd(args.batch, max(n, args.threads)) for n in (8, 16)})
    args.sides = ['few', 'torch'] + ['compiled'] * args.compile
    if args.openvino or args.openvino_python:
        args.sides.append('openvino')
    if args.ort or args.ort_python or args.ort_path:
        args.sides.append('ort')
    args.ort_python = args.ort_python or args.torch_python
    args.openvino_python = args.openvino_python or args.torch_python
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


def check(args):
    """Fails, with a message, if something that the options need is missing."""
    if args.backend == 'cpu' and 'tf32' in args.precision:
        raise Mistake('--precision tf32 is for --backend cuda')
    for side in INFERS:
        if args.backend == 'cuda' and side in args.sides:
            raise Mistake(f'{TITLE[side]} is compared on the CPU only: leave out --backend or '
                          f'--{side}')
    if 'ort' in args.sides and 'fp32' not in args.precision:
        raise Mistake('ONNX Runtime computes in fp32 only: leave out --ort, or give --precision '
                      'fp32,bf16')
    for text in args.setting:
        if text.partition('=')[0] not in args.sides or '=' not in text:
            raise Mistake(f"--setting {text}: SIDE=NAME, of {', '.join(args.sides)}")
    if not shutil.which(args.few):
        raise Mistake(f'there is no program {os.path.relpath(args.few)}: run make build, or give '
                      '--few PATH')
    for n in args.shards:
        if args.batch % n:
            raise Mistake(f'--batch {args.batch} cannot be cut into --shards {n} equal parts')
    need(args, 'torch', 'torch, numpy', 'torch.cuda.init()' if args.backend == 'cuda' else '0')
    for side in args.sides:
        if side in INFERS:
            need(args, side, MODULE[side])


def exports(args, folder):
    """{batch: the file}: one for each number of parts that a side may cut the batch into."""
    parts = set(streams(args)) if 'openvino' in args.sides else set()
    parts |= {1} if 'ort' in args.sides else set()
    return {str(args.batch // n): os.path.join(folder, f'{n}.onnx')
            for n in parts if 'infer' in args.case}


def compare(args, folder):
    job = {'net': args.net, 'options': network(args), 'batch': args.batch, 'threads': args.threads,
           'onnx': exports(args, folder), 'device': args.backend}
    check(args)
    load = os.getloadavg()[0]
    if load > 0.5:
        say(args, f'note: this machine is busy (load {load:.1f}), so the figures are too low')
    about, _ = worker(args, 'torch', dict(job, case='describe'))
    versions = {'few': run([args.few, 'version'])[0].splitlines()[0], 'torch': about['version']}
    for side in args.sides:
        if side in INFERS:
            versions[side] = worker(args, side, {'case': 'describe'})[0]['version']
    about['versions'] = versions
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
    elif args.markdown:
        print_markdown(args, result)
    else:
        print_table(args, result)


main()
