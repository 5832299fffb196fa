# The Python package: a wheel of the installed libfew.so, in a clean virtual environment, passes
# python/tests. shellcheck shell=sh
# shellcheck disable=SC2154  # run.sh sets the variables
so=$(find "$prefix" -name libfew.so)
[ -n "$so" ] || { echo "no libfew.so: built with -DFEW_SHARED=OFF"; exit 77; }
case "$*" in *-fsanitize*) echo "not with sanitizers"; exit 77 ;; esac
command -v python3 >/dev/null || { echo "no python3"; exit 77; }
python3 -m venv venv >log 2>&1 || { tail -3 log; echo "no python3-venv"; exit 77; }
pip() { venv/bin/python -m pip --disable-pip-version-check -q "$@"; }
pip install --retries 2 --timeout 15 numpy scikit-build-core >log 2>&1 ||
  { tail -3 log; echo "no numpy and scikit-build-core from PyPI"; exit 77; }

pip wheel "$source" --no-build-isolation --no-deps -w . \
  -C cmake.define.FEW_PREBUILT="$(readlink -f "$so")"
wheel=$(ls few-*-py3-none-linux_*.whl)
pip install --no-index "$wheel"
cp -R "$source/python/tests" tests
rm tests/test_abi.py # needs the headers: the test python/abi
unset FEW_LIBRARY
export FEW_SOURCE="$source"
venv/bin/python -c '
import few, os, sys
assert few.__file__.startswith(sys.prefix), few.__file__
assert few.__version__ == sys.argv[1], few.__version__
assert os.path.exists(os.path.join(os.path.dirname(few.__file__), "py.typed"))' \
  "$(pkg-config --modversion few)"
venv/bin/python -m unittest discover -t . -s tests

# The examples that begin with "import few", of README.md and docs/guide.md, run.
awk '/^```python$/ { getline; if ($0 == "import few") { on = 1; n++ } }
  /^```$/ { on = 0 }
  on { print > ("example" n ".py") }' "$source/README.md" "$source/docs/guide.md"
test -e example3.py
for example in example*.py; do
  venv/bin/python -W error "$example" >example.log 2>&1 ||
    { cat "$example" example.log; exit 1; }
done
test -s boots.png
test -s ring.png
