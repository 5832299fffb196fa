#!/usr/bin/env python3
"""What lies in libfew.a: no mutable globals, and no public name without the prefix few_.

    symbols.py build/<preset>/libfew.a
"""
import re
import subprocess
import sys

from common import Report

# A mutable global that stays: 'name': 'reason'.
ALLOWED = {}

# objdump -t: value, seven flag characters, section, size, name
SYMBOL = re.compile(r'^[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ +(?:\.hidden )?(\S+)$')
MUTABLE = re.compile(r'^(\.(data|bss|tbss|tdata)(?!\.rel\.ro)(\..*)?|\*COM\*)$')


def main():
    report, member = Report(), '?'
    table = subprocess.run(['objdump', '-t', sys.argv[1]], check=True, capture_output=True,
                           text=True).stdout
    for line in table.splitlines():
        if ':     file format' in line:
            member = line.split(':')[0].removesuffix('.o')
        m = SYMBOL.match(line)
        if not m:
            continue
        flags, section, name = m.groups()
        if 'd' in flags or name.split('.')[0] in ALLOWED:
            continue
        if MUTABLE.match(section):
            report.fail(member, 1, f'{name} is a mutable global: put it in a context, or make it '
                        'const')
        if flags[0] in 'gu' and section != '*UND*' and not name.startswith('few_'):
            report.fail(member, 1, f'{name} is visible to users: make it static, or few__{name}')
    report.leave()


main()
