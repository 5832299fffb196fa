"""few/_abi.py reads the headers as a C compiler does: sizes, offsets and initial values of the
structs that the package uses, its constants, and its functions. Needs a C compiler (CC), and
neither numpy nor the library."""
import ctypes
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'few')
CC = os.environ.get('CC') or shutil.which('cc') or shutil.which('gcc') or shutil.which('clang')


def load_abi():
    spec = importlib.util.spec_from_file_location('few_abi', os.path.join(PACKAGE, '_abi.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_package():
    texts = []
    for name in sorted(os.listdir(PACKAGE)):
        if name.endswith('.py') and name != '_abi.py':
            with open(os.path.join(PACKAGE, name), encoding='utf-8') as file:
                texts.append(file.read())
    return '\n'.join(texts)


abi = load_abi()
TEXT = read_package()
STRUCTS = sorted(set(re.findall(r'_abi\.(few_\w+)', TEXT)))
CONSTANTS = sorted(set(re.findall(r'_abi\.(FEW_\w+)', TEXT)))
for prefix in re.findall(r"_abi\.constants\('(\w+)'\)", TEXT):
    CONSTANTS += [prefix + name.upper() for name in abi.constants(prefix)]
FUNCTIONS = sorted(set(re.findall(r'\blib\.(few_\w+)', TEXT)))


def has_init(name):
    return name.upper() + '_INIT' in abi._macros()


def program():
    """C that prints as JSON what the headers say."""
    lines = []
    for name in STRUCTS:
        lines.append(f'{{ typedef struct {name} S; first("{name}", sizeof(S));')
        lines += [f'member("{m}", offsetof(S, {m}), sizeof(((S *)0)->{m}));'
                  for m in getattr(abi, name).names()]
        if has_init(name):
            lines.append(f'static const S x = {name.upper()}_INIT; bytes(&x, sizeof(S));')
        lines.append('puts("}"); }')
    lines += [f'constant("{name}", (long)({name}));' for name in CONSTANTS]
    # A declaration that differs from the header's is an error of the compiler.
    functions = [f'{result} {name}({parameters});'
                 for name in FUNCTIONS for result, parameters in [abi.prototype(name)]]
    return '''
#include <few.h>
#include <stdio.h>
%s
static int rows;
static void first(const char *name, size_t size) {
  printf("%%s\\"%%s\\": {\\"size\\": %%zu", rows++ ? "," : "", name, size);
}
static void member(const char *name, size_t offset, size_t size) {
  printf(",\\"%%s\\": [%%zu,%%zu]", name, offset, size);
}
static void bytes(const void *at, size_t size) {
  printf(",\\"initial\\": \\"");
  for (size_t i = 0; i < size; i++) printf("%%02x", ((const unsigned char *)at)[i]);
  puts("\\"");
}
static void constant(const char *name, long value) { printf(",\\"%%s\\": %%ld", name, value); }
int main(void) {
  puts("{");
  %s
  puts("}");
  return 0;
}
''' % ('\n'.join(functions), '\n'.join(lines))


@unittest.skipUnless(CC, 'there is no C compiler: set CC')
class Abi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            source, output = os.path.join(folder, 'abi.c'), os.path.join(folder, 'abi')
            with open(source, 'w', encoding='utf-8') as file:
                file.write(program())
            subprocess.run([*CC.split(), '-std=c11', '-w', '-I', abi.include(), source,
                            '-o', output], check=True)
            cls.headers = json.loads(subprocess.run([output], check=True,
                                                    stdout=subprocess.PIPE).stdout)

    def test_structs(self):
        self.assertGreater(len(STRUCTS), 8)
        for name in STRUCTS:
            kind = getattr(abi, name)
            here = {'size': ctypes.sizeof(kind)}
            here.update({m: [getattr(kind, m).offset, getattr(kind, m).size]
                         for m in kind.names()})
            if has_init(name):
                here['initial'] = bytes(kind.new()).hex()
            self.assertEqual(here, self.headers[name], name)

    def test_constants(self):
        self.assertGreater(len(CONSTANTS), 20)
        for name in CONSTANTS:
            self.assertEqual(getattr(abi, name), self.headers[name], name)

    def test_functions(self):
        self.assertGreater(len(FUNCTIONS), 40)
        for name in FUNCTIONS:
            result, parameters = abi.prototype(name)
            abi._type(result)
            self.assertEqual(len(abi._parameters(parameters)),
                             0 if parameters == 'void' else parameters.count(',') + 1, name)

    def test_types(self):
        inputs = abi.few_inputs
        for text, kind in (('const struct few_inputs *', ctypes.POINTER(inputs)),
                           ('const char *', ctypes.c_char_p), ('char **', ctypes.c_void_p),
                           ('float *', ctypes.c_void_p), ('few_status', ctypes.c_int),
                           ('enum few_component_kind', ctypes.c_int), ('void', None),
                           ('uint64_t', ctypes.c_uint64), ('few_data_item', ctypes.c_void_p)):
            self.assertIs(abi._type(text), kind, text)
        self.assertEqual(abi._parameters('double t, struct few_olss_step out[3]'),
                         [ctypes.c_double, ctypes.POINTER(abi.few_olss_step)])

    def test_unknown(self):
        for name in ('few_nothing', 'FEW_NOTHING'):
            with self.assertRaises(AttributeError):
                getattr(abi, name)
        with self.assertRaises(AttributeError):
            abi.few_inputs.new(y=1)


if __name__ == '__main__':
    unittest.main()
