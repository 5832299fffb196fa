#!/usr/bin/env python3
"""Checks by regular expressions: functions that the library must not call, and tidy text.

An exception is a comment on the same line, `check-allow: the reason`.
"""
import re

from common import Report, code, files, text

# Functions that the library must not call: (names, folders that may, how to fix it).
CALLS = [
    ('printf vprintf puts putchar perror', ('src/cli/',),
     'the library never prints: use few__log, or few__fail for an error'),
    ('exit _exit _Exit quick_exit abort', ('src/cli/',),
     'the library never exits: return few__fail(...), or assert for bugs in few'),
    ('malloc calloc realloc free aligned_alloc posix_memalign strdup strndup',
     ('src/base/', 'src/cli/'), 'memory goes through the context: FEW_NEW, few__alloc, few__free'),
    ('alloca', (), 'the size of the stack is unknown: use FEW_NEW'),
    ('sprintf vsprintf strcpy strcat gets', (),
     'has no bound: use snprintf, few__text_add or memcpy'),
    ('vsnprintf strtod strtof strtold', ('src/base/', 'src/cli/'),
     'depends on the locale of the program: use few__vprint or few__strtod'),
    ('json_pack json_object json_array json_string json_real json_integer json_boolean json_dumps',
     (), 'JSON is written member by member: use struct few_json, io/json.h'),
    ('atoi atol atof', (), 'does not report errors: use strtol or strtod with an end pointer'),
    ('rand srand random drand48', (), 'is not reproducible: use base/rng.h'),
    ('strtok localtime gmtime setlocale', (), 'has hidden state: use the _r form'),
]
CALLS = [(re.compile(r'(?<![\w.>])(%s)\s*\(' % names.replace(' ', '|')), where, fix)
         for names, where, fix in CALLS]
# A call of snprintf that formats a real number, on one or several lines.
REAL = re.compile(r'(?<![\w.>])snprintf\s*\((?:[^;"]|"(?:[^"\\]|\\.)*")*?'
                  r'"(?:[^"\\%]|\\.|%%|%(?!%|[-+ #0]*[\d.*]*l?[aefgAEFG]))*'
                  r'%[-+ #0]*[\d.*]*l?[aefgAEFG]')
STREAMS = re.compile(r'\b(stdout|stderr)\b')

LEFT_OVER = re.compile(r'\b(T[O]DO|F[I]XME|X[X]X)\b(?![\s:(\w)]*\w{3,}\W+\w{2,})')
MACHINE_PATH = re.compile(r'(?<![\w.$}~*/-])/(home|root|work|tmp|Users|mnt|media|scratch)/\w')
ALLOW = re.compile(r'check-allow:\s*\w{3,}')

# The start of a public function in include/few/: a line that begins with its type.
DECLARED = re.compile(r'(?!FEW_API |typedef |static |extern |#|return )'
                      r'[A-Za-z_][\w \*]*[ \*](few_[a-z0-9]\w*)\(')

# A public function and its parameters, and a parameter that is an output: T **, or a pointer to
# numbers. The `user` of a callback comes first. Objects that a function frees are not outputs.
FUNCTION = re.compile(r'^FEW_API [^;{]*?\b(few_\w+)\(([^;{]*)\)[^;{)]*;', re.M)
OUTPUT = re.compile(r'([\w ]+\*\*|(float|double|int|u?int\d+_t|char|bool|few_node) \*)\w')
FREES = re.compile(r'_(free|release|close)$')

WIDTH = 100  # also of clang-format, which does not break comments and literals
WIDE = re.compile(r'\.(c|h|cuh?|cc|cpp|def|cmake|in|gp|sh|py)$|(^|/)CMakeLists\.txt$')
# Data files, whose bytes must not change.
DATA = re.compile(r'(^|/)(data|corpus|golden)/|\.(exact|glob|patch|svg)$')
TABS_ALLOWED = re.compile(r'(^|/)(Makefile|\.gitmodules)$|\.(mk|tsv)$')


def library_rules(path, line):
    for pattern, where, fix in CALLS:
        m = pattern.search(line)
        if m and not path.startswith(where or '-'):
            yield f'{m.group(1)}(): {fix}'
    if STREAMS.search(line) and not path.startswith('src/cli/'):
        yield 'the library never prints: use few__log'


def text_rules(path, line):
    if LEFT_OVER.search(line):
        yield 'a mark without text: say what is left to do and why'
    if path.endswith('.def') and line.startswith('#undef'):
        yield 'rows after this line do not expand: undefine the macro where the file is included'
    if '\t' in line and not TABS_ALLOWED.search(path):
        yield 'a tab: use spaces'
    if line.endswith((' ', '\r', '\t')):
        yield 'trailing white space: remove it'
    if len(line) > WIDTH and WIDE.search(path):
        yield f'{len(line)} columns: break the line at {WIDTH}'
    m = DECLARED.match(line) if path.startswith('include/few/') else None
    if m:
        yield f'{m.group(1)}() is not exported by libfew.so: begin its declaration with FEW_API'
    m = MACHINE_PATH.search(line)
    if m and not (m.group(1) == 'tmp' and path.startswith('test/')):
        yield 'an absolute path of one machine: make it relative or an argument'


def order_rules(source):
    for m in FUNCTION.finditer(source):
        given = [' '.join(p.split()) for p in m.group(2).split(',')]
        outputs = [bool(OUTPUT.match(p)) for p in given]
        if not FREES.search(m.group(1)) and sorted(outputs, reverse=True) != outputs \
                and not given[0].startswith('struct'):
            yield m.start(), f'{m.group(1)}(): outputs are the first parameters'


def main():
    report = Report()
    for path in files():
        if DATA.search(path):
            continue
        source = text(path)
        lines = source.split('\n')
        if source and not source.endswith('\n'):
            report.fail(path, len(lines), 'no newline at the end of the file: add it')
        in_library = path.startswith('src/') and path.endswith(('.c', '.h', '.cu', '.cuh', '.inc'))
        stripped = code(source).split('\n') if in_library else lines
        if in_library and not path.startswith(('src/base/', 'src/cli/')):
            for m in REAL.finditer(source):
                report.fail(path, source.count('\n', 0, m.start()) + 1,
                            'snprintf() of a real number depends on the locale of the program: '
                            'use few__print')
        if path.startswith('include/few/'):
            for at, why in order_rules(source):
                report.fail(path, source.count('\n', 0, at) + 1, why)
        for number, line in enumerate(lines, 1):
            if ALLOW.search(line):
                continue
            for why in text_rules(path, line):
                report.fail(path, number, why)
            if in_library:
                for why in library_rules(path, stripped[number - 1]):
                    report.fail(path, number, why)
    report.leave()


main()
