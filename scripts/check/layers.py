#!/usr/bin/env python3
"""Dependency direction: which module of src/ may include which.

A module is a folder of src/; few/x.h is the public face of module x. Edit the tables here when the
design changes, and say why in the commit.
"""
import os
import re

from common import Report, code, files, text

# module: the modules it may include besides itself. Low to high; nothing may point upwards.
MAY_INCLUDE = {
    'base': '',
    'graph': 'base',
    'op': 'base graph',
    'ad': 'base graph op',
    'optim': 'base',
    'backend': 'base graph op optim', # devices take an optimizer's step as well
    'nn': 'base graph op',
    'plan': 'base graph op backend',
    'check': 'base graph op ad backend plan',
    # side by side: only the edges listed
    'process': 'base',
    'weight': 'base graph',
    'io': 'base',
    'data': 'base io',
    'net': 'base graph op io nn process',
    'metric': 'base',
    'sampler': 'base io process',
    'objective': 'base graph op io nn net process weight',
    'model': 'base graph op ad backend plan check nn net process io data sampler',
    'feature': 'base graph op backend plan nn net io data model', # data: classes by name
    # above: anything below
    'eval': 'base io data feature metric process sampler net graph op plan model',
    'train': 'base graph op ad backend plan nn process weight optim io data net metric sampler objective model feature eval check',
    'loop': 'base io data metric model eval train objective net',
    'bench': 'base graph op ad backend plan nn process weight optim io data net sampler objective model train',
    'serve': 'base graph op ad backend plan nn process weight optim io data net metric sampler objective model check train bench',
}

# Single headers that may be included from below, as interfaces: {module: {header: reason}}.
INTERFACES = {
    'graph': {'op/op.h': 'a graph asks the table of ops for names, shapes and flags'},
}

# Folders that see the public headers alone.
PUBLIC_ONLY = {'cli'}

# A public header that is not named after its module: 'few/x.h': 'module'.
PUBLIC_OWNER = {'few/ops.def': 'graph', 'few/each_op.h': 'graph'}

# Headers that only their own module includes.
PRIVATE = {'base/context.h'}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<(few(?:/[^>]+)?\.h|few/[^>]+)>)', re.M)


def resolve(path, name):
    """The path of an included file from the top of the repository, or None."""
    for base in (os.path.dirname(path), 'src', 'include'):
        at = os.path.normpath(os.path.join(base, name))
        if os.path.isfile(at):
            return at
    return None


def module(path):
    """'src/op/op_x.c' -> 'op'; 'include/few/op.h' -> 'op'; 'include/few.h' -> 'few.h'."""
    parts = path.split('/')
    if parts[0] == 'src':
        return parts[1] if len(parts) > 2 else None
    if path == 'include/few.h':
        return 'few.h'
    return PUBLIC_OWNER.get('/'.join(parts[1:]), os.path.splitext(parts[-1])[0])


def backend_folder(path):
    """'src/backend/cpu/k_x.h' -> 'cpu'; otherwise ''."""
    parts = path.split('/')
    return parts[2] if parts[:2] == ['src', 'backend'] and len(parts) > 3 else ''


def complaint(path, name):
    """Why `path` must not include `name`, with the mend; None when it may."""
    to = resolve(path, name)
    if not to:
        return f'"{name}" is no file of few: write "module/file.h", or <...> for others\' headers'
    if not to.startswith(('src/', 'include/')):
        return f'{to} is outside src/ and include/: move what is shared into a module'
    public, here, there = to.startswith('include/'), module(path), module(to)
    if path.startswith('include/') and not public:
        return f'a public header includes the private {to}: move what callers need to include/few/'
    if here in PUBLIC_ONLY:
        if public or here == there:
            return None
        return f'{here}/ sees public headers only, not {to}: add what it needs to few/{there}.h'
    if here == 'few.h':
        return None if public else f'few.h includes public headers only, not {to}'
    if there == 'few.h':
        return 'few.h is for users of the library: include the few/ headers that you need'
    if here not in MAY_INCLUDE:
        return f'module {here} is not in MAY_INCLUDE: give it a place in scripts/check/layers.py'
    if here == there:
        return None
    if to[4:] in INTERFACES.get(here, {}):
        return None
    if there not in MAY_INCLUDE[here].split():
        return (f'{here}/ may not include {there}/ ({name}): move the shared part down, '
                f'or hand it in; {here} may see: {MAY_INCLUDE[here] or "nothing"}')
    if backend_folder(to) or (there == 'backend' and not public and to != 'src/backend/backend.h'):
        return f'{here}/ may not know {to[4:]}: go through backend/backend.h'
    if to[4:] in PRIVATE:
        return f'{to[4:]} is private to {there}/: use its other headers'
    return None


def check_table(report):
    """The table itself points downwards: every module stands below those that include it."""
    below = set()
    for name, allowed in MAY_INCLUDE.items():
        for other in allowed.split():
            if other not in below:
                report.fail('scripts/check/layers.py', 1, f'{name} points up to {other}')
        below.add(name)


def main():
    report = Report()
    check_table(report)
    for path in files('.c', '.h', '.cu', '.cuh', '.def', '.inc'):
        if not path.startswith(('src/', 'include/')):
            continue
        source = text(path)
        # An include's name is a literal, so look it up in the source where the code has one.
        blank = code(source).splitlines()
        for i, line in enumerate(source.splitlines()):
            m = INCLUDE.match(line)
            if m and blank[i].lstrip().startswith('#'):
                why = complaint(path, m.group(1) or m.group(2))
                if why:
                    report.fail(path, i + 1, why)
    report.leave()


main()
