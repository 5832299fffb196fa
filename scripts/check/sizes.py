#!/usr/bin/env python3
"""Checks sizes: a function over 60 lines is noted, over 120 fails; a file over 900 lines fails.

scripts/long-functions.txt lists the exceptions: `path:function reason` or `path reason`.
The code has the format of clang-format. So a function begins at a line in column 0 that ends in `)
{`, and ends at the next `}` in column 0.
"""
import re

from common import Report, code, files, text

NOTE, LIMIT, FILE_LIMIT = 60, 120, 900
LIST = 'scripts/long-functions.txt'


def name_of(signature):
    """The word before the parameter list, which is the last balanced (...) of the signature."""
    depth = 0
    for i in range(len(signature) - 1, -1, -1):
        depth += (signature[i] == ')') - (signature[i] == '(')
        if signature[i] == '(' and depth == 0:
            m = re.search(r'(\w+)\s*$', signature[:i])
            return m.group(1) if m else '?'
    return '?'


def functions(source):
    """Yield (name, first line, number of lines)."""
    signature, start, inside, macro = '', 0, None, False
    for number, line in enumerate(code(source).splitlines(), 1):
        directive = macro or line.startswith('#')
        macro = directive and line.endswith('\\')
        if directive:
            continue
        if inside:
            if line.startswith('}'):
                yield inside, start, number - start + 1
                inside, signature = None, ''
            continue
        if not signature:
            start = number
        signature = (signature + ' ' + line).strip()
        if re.search(r'\)\s*\{$', signature):
            inside = name_of(signature[:-1].rstrip())
        elif line.rstrip().endswith((';', '{')) or line.startswith('}'):
            signature = ''


def exceptions(report):
    listed = {}
    for number, line in enumerate((text(LIST) or '').splitlines(), 1):
        if not line.strip() or line.startswith('#'):
            continue
        what, _, reason = line.partition(' ')
        if not reason.strip():
            report.fail(LIST, number, f'{what} needs a reason after it')
        listed[what] = number
    return listed


def main():
    report = Report()
    listed = exceptions(report)
    used = set()

    def too_long(key, path, line, message):
        if key in listed:
            used.add(key)
        else:
            report.fail(path, line, f'{message}, or list {key} with a reason in {LIST}')

    for path in files('.c', '.h', '.cu', '.cuh', '.def', '.py', '.sh', '.js'):
        source = text(path)
        lines = source.count('\n')
        if lines > FILE_LIMIT:
            too_long(path, path, 1, f'{lines} lines, over {FILE_LIMIT}: split it by idea')
        if not path.endswith(('.c', '.h', '.cu', '.cuh')):
            continue
        for name, start, n in functions(source):
            if n > LIMIT:
                too_long(f'{path}:{name}', path, start,
                         f'{name} has {n} lines, over {LIMIT}: split it')
            elif n > NOTE:
                report.note(path, start, f'{name} has {n} lines, over {NOTE}: can it be split?')
    for key in sorted(set(listed) - used):
        report.fail(LIST, listed[key], f'{key} is no longer too long: remove the line')
    report.leave()


main()
