#!/usr/bin/env python3
"""Checks that a processor without an instruction set never runs code for it.

    isa.py build/<preset>

Code for one instruction set must be used only after the choice in isa.c. So the objects of
kernels.cmake, few_cpu_<isa>, may define only names that end in _<isa>; otherwise the linker could
use one of their functions elsewhere. They may not have code that runs at startup. The rest of few
may refer only to their tables, which are data, and may use only instructions that every x86-64
processor has, except in the functions in ALLOWED.
"""
import glob
import os
import re
import subprocess
import sys

from common import Report, files

# Functions that need more than the base set, each called after a check: 'file.c:name': 'reason'.
ALLOWED = {
    'gram.c:strip_avx2': 'few__gram_widths() checks the processor',
    'gram.c:strip_avx512': 'few__gram_widths() checks the processor',
    'gram.c:tile_avx2': 'a part of strip_avx2',
    'gram.c:tile_avx512': 'a part of strip_avx512',
    'peak.c:half': 'pick() checks the processor',
    'peak.c:wide': 'pick() checks the processor',
}
# A set with kernels for products only uses the other kernels of another set (FEW_CPU_F32).
BUILDS_ON = {'avx512bf16': 'avx512', 'amx': 'avx512'}
TABLE = 'few__cpu_backend_'
STARTS = re.compile(r'^\.(preinit_array|init_array|fini_array|ctors|dtors|init|fini)\b')
# AVX and later sets have VEX or EVEX encodings. Their mnemonics begin with v, except for those of
# the k registers and some of BMI. In the base set, only a few mnemonics begin with v: those for
# segments and virtual machines.
BEYOND = re.compile(r'^(v(?!err|erw|mcall|mload|mrun|msave|mmcall)\w+'
                    r'|k(mov|ortest|and|or|xor|not|shift|unpck|add|test)\w*'
                    r'|andn|bextr|blsi|blsr|blsmsk|bzhi|mulx|pdep|pext|rorx|sarx'
                    r'|shlx|shrx|lzcnt|tzcnt|popcnt)$')


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


class Objects:
    """The objects of a build: their sets, symbols, sections and code."""

    def __init__(self, build):
        self.paths = sorted(glob.glob(os.path.join(build, 'CMakeFiles', 'few*.dir', '**', '*.o'),
                                      recursive=True))
        if not self.paths:
            sys.exit(f'isa.py: no objects in {build}: build it first')
        self.sources = {os.path.basename(path): path for path in files('.c')}
        names = {path: re.search(r'/few_cpu_([^/]+)\.dir/', path) for path in self.paths}
        self.isa = {path: m.group(1) if m else None for path, m in names.items()}

    def source(self, path):
        name = os.path.basename(path).removesuffix('.o')
        return self.sources.get(name, name)

    def symbols(self):
        """(path, name, type) of each external symbol; the type U is undefined."""
        for line in run('nm', '-A', '-g', '-P', *self.paths):
            path, _, rest = line.partition(': ')
            yield path, *rest.split()[:2]

    def lines(self, options, paths):
        """(path, line) of each line that objdump prints."""
        path = None
        for line in run('objdump', *options, *paths):
            if ':     file format' in line:
                path = line.partition(':')[0]
            else:
                yield path, line


def check_symbols(report, objects):
    symbols, inside = list(objects.symbols()), {}
    for path, name, kind in symbols:
        isa = objects.isa[path]
        if not isa or kind == 'U':
            continue
        inside[name] = isa
        where = objects.source(path)
        if not name.endswith('_' + isa):
            report.fail(where, 1,
                        f'{name} is visible and compiled for {isa}: the linker may use it '
                        'elsewhere; make it static, or name it with FEW_ISA()')
        elif kind.lower() in 'iuvw':
            report.fail(where, 1, f'{name} is weak or chosen by the loader: define a normal symbol')
        elif name.startswith(TABLE) and kind not in 'DR':
            report.fail(where, 1, f'{name} is code: make the table constant data')
    for path, name, kind in symbols:
        allowed = (objects.isa[path], BUILDS_ON.get(objects.isa[path]))
        if kind == 'U' and name in inside and inside[name] not in allowed \
                and not name.startswith(TABLE):
            report.fail(objects.source(path), 1,
                        f'{name} is used before the choice: use few__backend_cpu()')


def check_starts(report, objects):
    for path, line in objects.lines(['-h'], [p for p in objects.paths if objects.isa[p]]):
        words = line.split()
        if len(words) > 2 and STARTS.match(words[1]) and int(words[2], 16):
            report.fail(objects.source(path), 1, f'section {words[1]} of {objects.isa[path]} runs '
                        'before the choice: remove the constructor')


def check_instructions(report, objects):
    function, seen = '?', set()
    base = [p for p in objects.paths if objects.isa[p] in (None, 'base')]
    for path, line in objects.lines(['-d', '--no-show-raw-insn'], base):
        if line.endswith('>:'):
            function = line.partition('<')[2][:-2].split('.')[0]
        words = line.split('\t')
        mnemonic = words[1].split()[0] if len(words) > 1 and words[1].split() else ''
        if not BEYOND.match(mnemonic):
            continue
        where = objects.source(path)
        key = f'{os.path.basename(where)}:{function}'
        if key not in ALLOWED and key not in seen:
            seen.add(key)
            report.fail(where, 1,
                        f'{function}: {mnemonic} is not an instruction of every x86-64 processor')


def main():
    report, objects = Report(), Objects(sys.argv[1])
    check_symbols(report, objects)
    check_starts(report, objects)
    if os.uname().machine == 'x86_64':
        check_instructions(report, objects)
    report.leave()


main()
