#!/usr/bin/env python3
"""Checks the symbols of libfew.a: no mutable globals, and no public name without the prefix few_.

    symbols.py build/<preset>/libfew.a
"""
import re
import subprocess
import sys

from common import Report, files, text

# Mutable globals that are allowed: 'file.c:name': 'reason'.
ALLOWED = {
    'isa.c:cache_bytes': 'the size of the second-level cache: always the same, and slow to get',
    'load.c:found': 'the backend, which is loaded once and then constant',
    'load.c:missing': 'the backend without kernels, if loading fails; then constant',
    'load.c:why': 'the reason why loading failed; then constant',
    'load.c:once': 'the pthread_once of these three',
}

# objdump -t: value, seven flag characters, section, size, name
SYMBOL = re.compile(r'^[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ +(?:\.hidden )?(\S+)$')
MUTABLE = re.compile(r'^(\.(data|bss|tbss|tdata)(?!\.rel\.ro)(\..*)?|\*COM\*)$')


def place(member, name):
    """The first occurrence of `name` in the source of an archive's member."""
    for path in files('/' + member):
        for number, line in enumerate(text(path).splitlines(), 1):
            if re.search(rf'\b{name}\b', line):
                return path, number
    return member, 1


def main():
    report, member, seen = Report(), '?', set()
    table = subprocess.run(['objdump', '-t', sys.argv[1]], check=True, capture_output=True,
                           text=True).stdout
    for line in table.splitlines():
        if ':     file format' in line:
            member = line.split(':')[0].removesuffix('.o')
        m = SYMBOL.match(line)
        if not m:
            continue
        flags, section, name = m.groups()
        name = name.split('.')[0]  # a static inside a function is `name.number`
        key = f'{member}:{name}'
        if 'd' in flags or not name or key in seen or key in ALLOWED:
            continue
        if MUTABLE.match(section):
            why = f'{name} is a mutable global: put it in a context, or make it const'
        elif flags[0] in 'gu' and section != '*UND*' and not name.startswith('few_'):
            why = f'{name} is visible to users: make it static, or few__{name}'
        else:
            continue
        seen.add(key)
        report.fail(*place(member, name), why)
    report.leave()


main()
