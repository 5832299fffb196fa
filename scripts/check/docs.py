#!/usr/bin/env python3
"""Checks links, headings and paths in the documents: README.md, CONTRIBUTING.md and docs/*.md.

The file of a link, and the heading after its #, must exist. A path in backquotes, such as
`src/base/option.c` or `base/option.c`, must exist in the repository.
"""
import glob
import os
import re
import sys

PATH = re.compile(r"^[a-z]+/[\w./-]*$")
FOLDERS = {f for base in (".", "src") for f in os.listdir(base)
           if os.path.isdir(os.path.join(base, f))}
NOT_PATHS = {"train/adam.m/out.b"}  # the name of a tensor
PATTERN = re.compile(r"(?:^|[/_])x\.\w+$")  # `test/cli/x.sh` stands for any name


def missing(path):
    """Whether a path of the repository, or of src/, does not exist."""
    if not PATH.match(path) or PATTERN.search(path) or path in NOT_PATHS:
        return False
    if path.split("/")[0] not in FOLDERS - {"build"}:
        return False
    return not any(os.path.exists(os.path.join(base, path)) for base in (".", "src", "include"))


def prose(name):
    """Lines with their numbers, without blocks of code."""
    code = False
    for number, line in enumerate(open(name, encoding="utf-8"), 1):
        if line.startswith("```"):
            code = not code
        elif not code and not line.startswith("    "):
            yield number, line


def anchors(name):
    """The anchors that Markdown makes from the headings of a file."""
    found = set()
    for _, line in prose(name):
        if heading := re.match(r"#+ (.*)", line):
            text = re.sub(r"[^\w\- ]", "", heading[1].strip().lower().replace("`", ""))
            base = text.replace(" ", "-")
            name, i = base, 0
            while name in found:
                i += 1
                name = f"{base}-{i}"
            found.add(name)
    return found


def main():
    files = ["README.md", "CONTRIBUTING.md", *sorted(glob.glob("docs/*.md"))]
    headings = {name: anchors(name) for name in files}
    failed = False
    for name in files:
        for number, line in prose(name):
            wrong = []
            for path in re.findall(r"`([^`]+)`", line):
                if missing(path):
                    wrong.append(f"there is no {path}")
            for link in re.findall(r"\]\(([^)\s]+)\)", line):
                path, _, heading = link.partition("#")
                if path.startswith("http"):
                    continue
                target = name
                if path:
                    target = os.path.normpath(os.path.join(os.path.dirname(name), path))
                if not os.path.exists(target):
                    wrong.append(f"there is no {target}: fix the link")
                elif heading and target in headings and heading not in headings[target]:
                    wrong.append(f"{target} has no heading #{heading}: fix the link")
            for text in wrong:
                print(f"{name}:{number}: {text}")
                failed = True
    return failed


sys.exit(main())
