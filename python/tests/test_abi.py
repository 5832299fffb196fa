"""few/_abi.py is what the headers say: the prototypes are compiled beside them, and sizes, offsets
and initial values of all structs are compared. Needs a C compiler (CC), and neither numpy nor the
library."""
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CC = os.environ.get('CC') or shutil.which('cc') or shutil.which('gcc') or shutil.which('clang')


def load_abi():
    path = os.path.join(SOURCE, 'python', 'few', '_abi.py')
    spec = importlib.util.spec_from_file_location('few_abi', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


abi = load_abi()


def program():
    """C that prints as JSON what the headers say."""
    lines = []
    for name, kind in abi.STRUCTS.items():
        lines.append(f'{{ typedef struct {name} S; first("{name}", sizeof(S));')
        lines += [f'member("{m}", offsetof(S, {m}), sizeof(((S *)0)->{m}));'
                  for m, _ in kind._fields_]
        if kind.macro:
            lines.append(f'static const S initial = {kind.macro}; bytes(&initial, sizeof(S));')
        lines.append('puts("}"); }')
    constants = [f'constant("{name}", (long)({name}));' for name in abi.CONSTANTS]
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
  %s
  puts("}");
  return 0;
}
''' % (abi.PROTOTYPES, '\n'.join(lines), '\n'.join(constants))


@unittest.skipUnless(CC, 'there is no C compiler: set CC')
class Abi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            source, output = os.path.join(folder, 'abi.c'), os.path.join(folder, 'abi')
            with open(source, 'w', encoding='utf-8') as file:
                file.write(program())
            # A prototype that differs from the header's is an error of the compiler.
            subprocess.run([*CC.split(), '-std=c11', '-w', '-I', os.path.join(SOURCE, 'include'),
                            source, '-o', output], check=True)
            cls.headers = json.loads(subprocess.run([output], check=True,
                                                    stdout=subprocess.PIPE).stdout)

    def test_structs(self):
        import ctypes
        for name, kind in abi.STRUCTS.items():
            here = {'size': ctypes.sizeof(kind)}
            here.update({m: [getattr(kind, m).offset, getattr(kind, m).size]
                         for m, _ in kind._fields_})
            if kind.macro:
                here['initial'] = bytes(kind.new()).hex()
            self.assertEqual(here, self.headers[name], name)

    def test_constants(self):
        for name, value in abi.CONSTANTS.items():
            self.assertEqual(value, self.headers[name], name)

    def test_prototypes(self):
        """Each line was understood, and pointers to structs have their types."""
        names = [p for p in abi.PROTOTYPES.split(';') if p.strip()]
        self.assertGreater(len(names), 50)
        self.assertIs(abi._type('const struct few_inputs *in')._type_,
                      abi.STRUCTS['few_inputs'])
        self.assertIs(abi._type('const char *key'), abi.c_char_p)


if __name__ == '__main__':
    unittest.main()
