#!/usr/bin/env python3
"""Draws the rooms of src/ and what they include: prints a graph for graphviz (make docs).

A box is a room (a folder of src/) with its floors (subfolders) and their lines of code. An arrow
points to a room that is included. Arrows that follow from others (a -> c if a -> b -> c) are left
out.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'check'))
sys.dont_write_bytecode = True
from common import files, text # noqa: E402
from layers import FLOORS, ROOMS, includes, place, resolve # noqa: E402

WHAT = {
    'base': 'memory, text, numbers, threads, options',
    'io': 'file formats',
    'record': 'runs and reports, read back',
    'data': 'data sets',
    'engine': 'graphs, derivatives, plans, kernels',
    'diffusion': 'processes, networks, losses, samplers',
    'model': 'a trained network',
    'eval': 'measuring',
    'train': 'training',
    'bench': 'speed of whole steps',
    'cli': 'the program',
}


def faces(to):
    """The files behind an include: for few.h, all public headers."""
    if to != 'include/few.h':
        return [to] if to else []
    return [resolve(to, name) for _, name in includes(text(to))]


def survey():
    """Lines of each (room, floor), and the rooms that each room includes."""
    lines, edges = {}, {room: set() for room in ROOMS}
    for path in files('.c', '.h', '.cu', '.def'):
        if not path.startswith('src/'):
            continue
        here, source = place(path), text(path)
        lines[here] = lines.get(here, 0) + source.count('\n')
        for _, name in includes(source):
            for to in faces(resolve(path, name)):
                there = place(to)[0]
                if there in ROOMS and there != here[0]:
                    edges[here[0]].add(there)
    return lines, edges


def reach(edges, room):
    """All rooms that a room includes, directly or not."""
    below = set()
    for other in edges[room]:
        below |= {other} | reach(edges, other)
    return below


def reduced(edges, room):
    """The rooms that it includes, without those that another of these includes."""
    return [o for o in sorted(edges[room])
            if not any(o in reach(edges, p) for p in edges[room] if p != o)]


def box(room, lines):
    own = {floor: n for (r, floor), n in lines.items() if r == room}
    order = [f for f in FLOORS.get(room, {'.': ''}) if f in own]
    floors = [f for f in reversed(order) if f != '.']
    head = (f'<tr><td colspan="2" align="left"><b>{room}</b>  {WHAT[room]}</td>'
            f'<td align="right">{sum(own.values()):,}</td></tr>')
    rows = ''.join(f'<tr><td>  </td><td align="left">{f}</td><td align="right">'
                   f'<font color="gray40">{own[f]:,}</font></td></tr>' for f in floors)
    return (f'  {room} [label=<<table border="0" cellborder="0" cellspacing="1">{head}{rows}'
            '</table>>];')


def main():
    lines, edges = survey()
    print('digraph house {')
    print('  graph [rankdir=TB, nodesep=0.5, ranksep=0.45, fontname="Helvetica"];')
    print('  node [shape=box, style="rounded,filled", fillcolor="#f6f4ee", color="gray40",')
    print('        fontname="Helvetica", fontsize=12];')
    print('  edge [color="gray40", arrowsize=0.7];')
    for room in reversed(ROOMS):
        print(box(room, lines))
    for room in reversed(ROOMS):
        for other in reduced(edges, room):
            print(f'  {room} -> {other};')
    print('}')


main()
