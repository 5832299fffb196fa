# Run when: pyproject.toml, python/CMakeLists.txt or what the library is built from changed, and
# before a release.
#
# The Python package as a user builds it: a source distribution, the wheel from that, with the
# library compiled in it, and its tests; and the wheel that only samples.
python3 -m venv venv >log 2>&1 || { tail -3 log; echo "no python3-venv"; exit 77; }
PATH=$PWD/venv/bin:$PATH
pip install -q build numpy scikit-build-core >log 2>&1 ||
  { tail -3 log; echo "no packages from PyPI"; exit 77; }
python -m build --no-isolation --outdir dist "$source"
pip install -q dist/few-*-py3-none-linux_*.whl
cp -R "$source/python/tests" tests
rm tests/test_abi.py
FEW_SOURCE=$source python -m unittest discover -t . -s tests

pip wheel -q dist/few-*.tar.gz --no-build-isolation --no-deps -w small \
  -C cmake.define.FEW_LAPACK=OFF \
  -C cmake.define.FEW_ZIP=OFF -C cmake.define.FEW_JPEG=OFF -C cmake.define.FEW_WEBP=OFF
pip install -q --force-reinstall --no-deps small/few-*.whl
python -c 'import few; print(few.load("fashion-student").sample(4, steps=1).shape)'
if readelf -d "$(python -c 'import few; print(few.__path__[0])')/libfew.so" |
  grep -E 'blas|zip|jpeg|webp'; then exit 1; fi
