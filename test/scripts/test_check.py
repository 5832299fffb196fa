#!/usr/bin/env python3
"""Tests each check of `make check` on a planted mistake in a small repository."""
import os
import subprocess
import sys
import tempfile
import unittest

CHECKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'scripts', 'check')


def check(name, files):
    """Run scripts/check/<name>.py on `files` (path -> text); return (passed, output lines)."""
    with tempfile.TemporaryDirectory() as top:
        subprocess.run(['git', 'init', '-q', top], check=True)
        for path, text in files.items():
            at = os.path.join(top, path)
            os.makedirs(os.path.dirname(at), exist_ok=True)
            with open(at, 'w', encoding='utf-8') as f:
                f.write(text)
        run = subprocess.run([sys.executable, '-B', os.path.join(CHECKS, name + '.py')], cwd=top,
                             capture_output=True, text=True)
        assert not run.stderr, run.stderr
        return run.returncode == 0, run.stdout.splitlines()


class Layers(unittest.TestCase):
    TREE = {p: '\n' for p in (
        'src/base/base.h', 'src/base/context.h', 'src/diffusion/net/nn.h', 'src/train/train.h',
        'src/engine/backend/backend.h', 'src/engine/backend/ref/ref.h', 'src/cli/opt.h',
        'src/io/png.h',
        'include/few.h', 'include/few/base.h', 'include/few/train.h',
        'src/diffusion/process/process.h')}

    def edge(self, path, include):
        return check('layers', {**self.TREE, path: f'/* x */\n#include {include}\n'})

    def test_allowed(self):
        for path, include in (('src/diffusion/net/a.c', '"base/base.h"'),
                              ('src/base/a.c', '"context.h"'),
                              ('src/engine/plan/a.c', '"engine/backend/backend.h"'),
                              ('src/cli/a.c', '"few.h"'),
                              ('src/engine/backend/cpu/a.c', '"../ref/ref.h"'),
                              ('src/cli/a.c', '"opt.h"'),
                              ('src/data/a.c', '"io/png.h"'), ('include/few.h', '"few/train.h"'),
                              ('src/cli/a.c', '"few/train.h"'),
                              ('src/diffusion/net/a.c', '<zlib.h>')):
            with self.subTest(path=path, include=include):
                self.assertEqual(self.edge(path, include), (True, []))

    def test_refused(self):
        for path, include, word in (
                ('src/base/a.c', '"diffusion/net/nn.h"', 'may not include diffusion/'),
                ('src/io/a.c', '"../diffusion/process/process.h"', 'may not include diffusion/'),
                ('src/diffusion/process/a.c', '<few/train.h>', 'may not include train/'),
                ('src/engine/plan/a.c', '"engine/backend/ref/ref.h"',
                 'use engine/backend/backend.h'),
                ('src/cli/a.c', '"base/base.h"', 'public headers only'),
                ('src/diffusion/net/a.c', '"base/context.h"', 'private to base/'),
                ('src/diffusion/net/a.c', '"few.h"', 'for users'),
                ('src/diffusion/net/a.c', '"gone.h"', 'not a file of few'),
                ('src/new/a.c', '"base/base.h"', 'ROOMS'),
                ('include/few/base.h', '"few/train.h"', 'may not include train/'),
                ('include/few/base.h', '"base/base.h"', 'private')):
            with self.subTest(path=path, include=include):
                passed, lines = self.edge(path, include)
                self.assertFalse(passed)
                self.assertEqual(len(lines), 1)
                self.assertTrue(lines[0].startswith(path + ':2: '), lines[0])
                self.assertIn(word, lines[0])


def function(lines, name='f'):
    return (f'static int t[] = {{\n    1,\n}};\n\nFEW_X(1, 2)\n'
            f'int *{name}(int a,\n       int b) {{\n' + '  a++;\n' * (lines - 4) + '}\n')


class Sizes(unittest.TestCase):
    def test_function(self):
        self.assertEqual(check('sizes', {'src/a.c': function(60)}), (True, []))
        passed, lines = check('sizes', {'src/a.c': function(61)})
        self.assertTrue(passed)
        self.assertEqual(lines, ['src/a.c:5: note: f has 61 lines, over 60: can it be split?'])
        passed, lines = check('sizes', {'src/a.c': function(121)})
        self.assertFalse(passed)
        self.assertTrue(lines[0].startswith('src/a.c:5: f has 121 lines, over 120'), lines)

    def test_file(self):
        passed, lines = check('sizes', {'src/a.h': 'int x;\n' * 901})
        self.assertFalse(passed)
        self.assertTrue(lines[0].startswith('src/a.h:1: 901 lines'), lines)

    def test_list(self):
        listed = 'scripts/long-functions.txt'
        tree = {'src/a.c': function(121)}
        self.assertEqual(check('sizes', {**tree, listed: 'src/a.c:f a table\n'}), (True, []))
        self.assertFalse(check('sizes', {**tree, listed: 'src/a.c:f\n'})[0])
        passed, lines = check('sizes', {listed: '# why\nsrc/a.c:f gone\n'})
        self.assertFalse(passed)
        self.assertTrue(lines[0].startswith(listed + ':2: '), lines)


class Rules(unittest.TestCase):
    def refused(self, path, line):
        passed, lines = check('rules', {path: 'int x;\n' + line + '\n'})
        return not passed and len(lines) == 1 and lines[0].startswith(path + ':2: ')

    def test_refused(self):
        todo = 'TO' + 'DO'
        home = '/ho' + 'me/me/few'
        for path, line in (
                ('src/diffusion/net/a.c', 'printf("x");'), ('src/diffusion/net/a.c', 'exit(1);'),
                ('src/diffusion/net/a.c', 'p = malloc(n);'), ('src/diffusion/net/a.c', 'free (p);'),
                ('src/base/a.c', 'fprintf(stderr, "x");'),
                ('src/diffusion/net/a.c', 'x = atof(s);'),
                ('src/base/a.c', 'strcpy(a, b);'), ('src/diffusion/net/a.c', f'/* {todo} */'),
                ('docs/a.md', f'{todo}: fix'), ('src/diffusion/net/a.c', '\tx = 1;'),
                ('docs/a.md', 'words '),
                ('docs/a.md', f'see {home}'), ('src/diffusion/net/a.c', f'f("{home}");'),
                ('src/diffusion/net/a.c', 'f("/tm' 'p/x");'),
                ('src/diffusion/net/a.c', 'x = strtod(s, &end);'),
                ('src/diffusion/net/a.c', 'snprintf(s, sizeof s, "%d of %.9g", n, x);'),
                ('src/diffusion/net/a.c', 'snprintf(s, n,\n  "%s" "\\"%%f %-8.2lf", t, x);'),
                ('src/diffusion/net/a.cu', 'vsnprintf(s, n, f, args);'),
                ('include/few/a.h', 'FEW_MUST_USE few_status few_a(int x);'),
                ('include/few/ext/a.h', 'const char *few_a(void);'),
                ('include/few/a.h', 'FEW_API few_status few_a(few_ctx *ctx, few_b **out);'),
                ('include/few/a.h', 'FEW_API void few_a(const few_b *b, int n,\n  float *x);'),
                ('src/diffusion/net/a.h', '/* ' + 95 * 'x' + ' */'),
                ('src/diffusion/net/a.def', '#undef FEW_A')):
            with self.subTest(path=path, line=line):
                self.assertTrue(self.refused(path, line))
        self.assertEqual(check('rules', {'docs/a.md': 'no newline'})[0], False)

    def test_allowed(self):
        for path, line in (
                ('include/few/a.h', 'FEW_API FEW_MUST_USE few_status few_a(int x);'),
                ('include/few/a.h',
                 'FEW_API void few_a(float *x, char **y, const few_b *b, const float *z);'),
                ('include/few/a.h', 'FEW_API void few_a_free(few_ctx *ctx, char *text);'),
                ('include/few/a.h', 'typedef int (*few_a)(int x);'),
                ('src/cli/a.c', 'printf("x");'), ('src/base/a.c', 'free(p);'),
                ('src/cli/a.c', 'snprintf(s, n, "%g", x);'),
                ('src/diffusion/net/a.c',
                 'snprintf(s, n, "100%% good %d", i); few__print(s, n, "%g", x);'),
                ('src/diffusion/net/a.c', '/* printf("x") and exit(1) */'),
                ('src/diffusion/net/a.c', 'f("malloc(1)");'),
                ('src/diffusion/net/a.c', 'few__free(ctx, p);'),
                ('src/diffusion/net/a.c', 'pool->free(p);'),
                ('src/diffusion/net/a.c',
                 'free(p); /* check-allow: the library gave it with malloc */'),
                ('src/diffusion/net/a.c', '/* TO' 'DO: share the table with the trainer */'),
                ('src/diffusion/net/a.h', '/* ' + 94 * 'x' + ' */'),
                ('Makefile', '\tmake x'), ('test/io/a.c', 'f("/tm' 'p/x");'),
                ('docs/a.md', 'https://example.org/home/page'), ('test/io/data/a.txt', 'x ')):
            with self.subTest(path=path, line=line):
                self.assertEqual(check('rules', {path or 'Makefile': line + '\n'}), (True, []))


def symbols(source):
    """Compile `source`, put it into an archive and run symbols.py on that."""
    with tempfile.TemporaryDirectory() as top:
        subprocess.run(['git', 'init', '-q', top], check=True)
        with open(os.path.join(top, 'a.c'), 'w', encoding='utf-8') as f:
            f.write(source)
        for command in (['cc', '-c', '-fPIE', 'a.c'], ['ar', 'rc', 'liba.a', 'a.o']):
            subprocess.run(command, cwd=top, check=True)
        return subprocess.run([sys.executable, '-B', os.path.join(CHECKS, 'symbols.py'), 'liba.a'],
                              cwd=top, capture_output=True, text=True)


class Symbols(unittest.TestCase):
    def test_globals(self):
        for source in ('int few_x;', 'static int x = 1; int *few_f(void) { return &x; }',
                       'int few_f(void) { static int n; return ++n; }',
                       'int helper(void) { return 1; }',
                       '_Thread_local int few_x; int few_f(void) { return few_x; }'):
            with self.subTest(source=source):
                run = symbols(source)
                self.assertEqual(run.returncode, 1, run.stdout)
                self.assertEqual(run.stdout.count('\n'), 1, run.stdout)

    def test_constants(self):
        run = symbols('static const char *const names[] = {"a", "b"}; extern int errors;\n'
                      'const char *few_f(int i) { return names[i + errors]; }')
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, '', ''))


def isa(rest, kernels, *flags):
    """Run isa.py on a build of two objects: rest.c, and kernels.c compiled for avx2."""
    with tempfile.TemporaryDirectory() as top:
        subprocess.run(['git', 'init', '-q', top], check=True)
        for folder, name, source in (('few.dir', 'rest.c', rest),
                                     ('few_cpu_avx2.dir', 'kernels.c', kernels)):
            with open(os.path.join(top, name), 'w', encoding='utf-8') as f:
                f.write(source)
            to = os.path.join(top, 'b', 'CMakeFiles', folder)
            os.makedirs(to)
            own = ['-mavx2', '-O3'] if 'cpu' in folder else ['-O2', *flags]
            subprocess.run(['cc', *own, '-c', name, '-o', os.path.join(to, name + '.o')], cwd=top,
                           check=True)
        return subprocess.run([sys.executable, '-B', os.path.join(CHECKS, 'isa.py'), 'b'], cwd=top,
                              capture_output=True, text=True)


@unittest.skipUnless(os.uname().machine == 'x86_64', 'one instruction set only')
class Isa(unittest.TestCase):
    KERNELS = ('static void kernel(float *a) { for (int i = 0; i < 64; i++) a[i] *= 2; }\n'
               'void (*const few__cpu_backend_avx2[])(float *) = {kernel};\n')
    REST = ('extern void (*const few__cpu_backend_avx2[])(float *);\n'
            'void few_f(float *a) { few__cpu_backend_avx2[0](a); }\n')

    def test_behind_the_choice(self):
        run = isa(self.REST, self.KERNELS)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, '', ''))

    def test_violations(self):
        call = 'void few__help_avx2(float *); void few_f(float *a) { few__help_avx2(a); }\n'
        for what, rest, kernels, flags in (
                ('visible', '', self.KERNELS + 'void few__help(void) {}', ()),
                ('weak', '',
                 self.KERNELS + '__attribute__((weak)) void few__help_avx2(void) {}', ()),
                ('is code', '', 'void few__cpu_backend_avx2(void) {}', ()),
                ('before the choice', '',
                 self.KERNELS + 'static volatile int n; '
                 '__attribute__((constructor)) static void f(void) { n = 1; }', ()),
                ('used before the choice', call,
                 self.KERNELS + 'void few__help_avx2(float *a) { *a = 1; }', ()),
                ('not an instruction of every',
                 self.REST + 'float few_g(float x) { return x * 2; }', self.KERNELS,
                 ('-mavx',))):
            with self.subTest(what=what):
                run = isa(rest, kernels, *flags)
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertEqual(run.stdout.count('\n'), 1, run.stdout)
                self.assertIn(what, run.stdout)


if __name__ == '__main__':
    unittest.main()
