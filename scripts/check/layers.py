#!/usr/bin/env python3
"""Checks the direction of dependencies: which rooms of src/ a room may include.

A room is a folder of src/; the floors of a larger one are its subfolders. If the design changes,
edit the tables here and explain why in the commit.
"""
import os
import re

from common import Report, code, files, text

# room: the rooms that it may include besides itself. Low to high; nothing points upwards.
ROOMS = {
    'base': '',
    'io': 'base',
    'record': 'base io',
    'data': 'base io',
    'engine': 'base',
    'diffusion': 'base engine',
    'model': 'base io data engine diffusion',
    'eval': 'base io data engine diffusion model',
    'train': 'base io data engine diffusion model eval',
    'bench': 'base io data engine diffusion model eval train',
    'cli': '', # public headers only
}

# The floors of a room, low to high, with those below that each may include. '.' is the folder of
# the room itself.
FLOORS = {
    'engine': {
        'graph': '',
        'op': 'graph',
        'ad': 'graph op',
        'backend': 'graph op',
        'plan': 'graph op backend',
        'check': 'graph op ad backend plan',
    },
    'diffusion': {
        'process': '',
        'weight': '',
        'net': 'process',
        'sampler': 'process',
        'objective': 'process weight net',
    },
    'model': {'.': '', 'run': '.', 'inspect': '. run', 'import': '.', 'export': '. run import'},
    'eval': {'metric': '', 'feature': '', '.': 'metric feature'},
    'train': {'optim': '', '.': 'optim', 'loop': '. optim'},
}

# Folders that may include public headers only.
PUBLIC_ONLY = {'cli'}

# The folder that a header of include/few/ belongs to, if that is not its name.
PUBLIC_OWNER = {
    'graph.h': 'engine/graph', 'ops.def': 'engine/graph', 'each_op.h': 'engine/graph',
    'option.h': 'base', 'component.h': 'train',
    'backend.h': 'engine/backend', 'plan.h': 'engine/plan', 'check.h': 'engine/check',
    'loop.h': 'train/loop',
    'run.h': 'model/run', 'sample.h': 'model/run', 'inspect.h': 'model/inspect',
    'export.h': 'model/export',
    'import.h': 'model/import',
    'ext/common.h': 'base', 'ext/random.h': 'base', 'ext/metric.h': 'eval/metric',
    'ext/steps.h': 'diffusion/process', 'ext/net.h': 'diffusion/net',
    'ext/sampler.h': 'diffusion/sampler', 'ext/objective.h': 'diffusion/objective',
    'ext/reader.h': 'data',
}

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


def place(path):
    """(room, floor): src/engine/op/op_x.c -> ('engine', 'op'); src/io/png.h -> ('io', '.')."""
    parts = path.split('/')
    if parts[0] == 'include':
        name = '/'.join(parts[2:]) # below include/few/
        parts = PUBLIC_OWNER.get(name, os.path.splitext(parts[-1])[0]).split('/')
    else:
        parts = parts[1:-1]
    return parts[0] if parts else None, parts[1] if len(parts) > 1 else '.'


def backend_folder(path):
    """'src/engine/backend/cpu/k_x.h' -> 'cpu'; otherwise ''."""
    parts = path.split('/')
    return parts[3] if parts[1:3] == ['engine', 'backend'] and len(parts) > 4 else ''


def between_rooms(here, there, name):
    if here not in ROOMS:
        return f'room {here} is not in ROOMS: add it in scripts/check/layers.py'
    if there in ROOMS[here].split():
        return None
    return (f'{here}/ may not include {there}/ ({name}): move the shared part down, or pass it in; '
            f'{here} may include: {ROOMS[here] or "nothing"}')


def between_floors(room, here, there, name):
    floors = FLOORS.get(room)
    if not floors or here == there:
        return None
    if here not in floors:
        return f'{room}/{here} is not in FLOORS: add it in scripts/check/layers.py'
    if there in floors[here].split():
        return None
    return (f'{room}/{here} may not include {room}/{there} ({name}): move the shared part down, or '
            f'pass it in; {here} may include: {floors[here] or "nothing"}')


def private_parts(path, to, there):
    here, inside = backend_folder(path), backend_folder(to)
    if inside and not here:
        return f'{path} may not include {to[4:]}: use engine/backend/backend.h'
    if to[4:] in PRIVATE and place(path)[0] != there:
        return f'{to[4:]} is private to {there}/: include its other headers'
    return None


def complaint(path, name):
    """The reason why `path` must not include `name`, and what to do; None if it may."""
    to = resolve(path, name)
    if not to:
        return f'"{name}" is not a file of few: write "room/file.h", or <...> for headers of others'
    if not to.startswith(('src/', 'include/')):
        return f'{to} is outside src/ and include/: move what is shared into a room'
    public = to.startswith('include/')
    if path.startswith('include/') and not public:
        return f'a public header includes the private {to}: move what callers need to include/few/'
    if path == 'include/few.h':
        return None
    (here, floor), (there, other) = place(path), place(to)
    if here in PUBLIC_ONLY:
        if public or here == there:
            return None
        return f'{here}/ may include public headers only, not {to}: extend a header of include/few/'
    if to == 'include/few.h':
        return 'few.h is for users of the library: include the few/ headers that you need'
    if here == there:
        return between_floors(here, floor, other, name) or private_parts(path, to, there)
    return between_rooms(here, there, name) or private_parts(path, to, there)


def includes(source):
    """(line, name) of each include that is not in a comment."""
    blank = code(source).splitlines()
    for i, line in enumerate(source.splitlines()):
        m = INCLUDE.match(line)
        if m and blank[i].lstrip().startswith('#'):
            yield i + 1, m.group(1) or m.group(2)


def check_tables(report):
    """Checks the tables: each row must be below the rows that may include it."""
    for table in (ROOMS, *FLOORS.values()):
        below = set()
        for name, allowed in table.items():
            for other in allowed.split():
                if other not in below:
                    report.fail('scripts/check/layers.py', 1, f'{name} points up to {other}')
            below.add(name)


def main():
    report = Report()
    check_tables(report)
    for path in files('.c', '.h', '.cu', '.cuh', '.def', '.inc'):
        if not path.startswith(('src/', 'include/')):
            continue
        for line, name in includes(text(path)):
            why = complaint(path, name)
            if why:
                report.fail(path, line, why)
    report.leave()


if __name__ == '__main__':
    main()
