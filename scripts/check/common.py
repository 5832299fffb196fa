"""Functions that the checks share: the list of files, C code without comments, reports."""
import re
import subprocess
import sys


def files(*suffixes):
    """Every file that git tracks or would track, relative to the current folder."""
    out = subprocess.run(['git', 'ls-files', '-z', '-co', '--exclude-standard'],
                         check=True, capture_output=True, text=True).stdout
    names = sorted({n for n in out.split('\0') if n and n.endswith(suffixes or '')})
    return [n for n in names if text(n) is not None]


def text(path):
    """The file's text, or None if it is missing or binary."""
    try:
        with open(path, 'rb') as f:
            data = f.read()
        return None if b'\0' in data else data.decode('utf-8')
    except (OSError, UnicodeDecodeError):
        return None


_C_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code(source):
    """C source with comments and the content of literals replaced by blanks; line numbers stay."""
    return _C_TOKEN.sub(lambda m: re.sub(r'[^\n"\']', ' ', m.group()), source)


class Report:
    def __init__(self):
        self.count = 0

    def fail(self, path, line, message):
        print(f'{path}:{line}: {message}')
        self.count += 1

    def note(self, path, line, message):
        print(f'{path}:{line}: note: {message}')

    def leave(self):
        sys.exit(1 if self.count else 0)
