# CMake projects that use few: as an installed package, as a sub-folder, and by FetchContent.
compiler=$1
shift
project() { # NAME [options of cmake ...]
  name=$1
  shift
  cmake -S "$here/project" -B "$name" -G Ninja -DCMAKE_C_COMPILER="$compiler" \
    -DCMAKE_C_FLAGS="$flags" \
    -DHOW="$name" -DFEW_SOURCE="$source" "$@" >"$name.log" 2>&1 || { cat "$name.log"; exit 1; }
}
flags=$*
command -v ninja >/dev/null || { echo "no ninja"; exit 77; }

project installed -DCMAKE_PREFIX_PATH="$prefix"
cmake --build installed >build.log || { cat build.log; exit 1; }
version=$(pkg-config --modversion few)
installed/user "$version"
installed/user_static "$version"
# A version that is not installed is refused.
if cmake -S "$here/project" -B other -G Ninja -DHOW=installed -DWANTED=7 \
  -DCMAKE_PREFIX_PATH="$prefix" >other.log 2>&1; then
  exit 1
fi
grep -q 'version' other.log

project uninstalled -Dfew_DIR="$build"
cmake --build uninstalled >build.log || { cat build.log; exit 1; }
uninstalled/user "$version"

# A build without the libraries that sampling does not need. A debug build compiles fastest.
project subdirectory -DFEW_LAPACK=OFF -DFEW_ZIP=OFF -DFEW_JPEG=OFF -DFEW_WEBP=OFF -DFEW_CUDA=OFF \
  -DCMAKE_BUILD_TYPE=Debug \
  ${CMAKE_C_COMPILER_LAUNCHER:+-DCMAKE_C_COMPILER_LAUNCHER="$CMAKE_C_COMPILER_LAUNCHER"}
cmake --build subdirectory >build.log || { cat build.log; exit 1; }
subdirectory/user "$version"
if ldd subdirectory/user | grep -E 'blas|lapack|zip|jpeg|webp'; then exit 1; fi
# The project does not install few, and does not run its tests.
cmake --install subdirectory --prefix "$PWD/installation" >/dev/null
test "$(find installation -type f | wc -l)" = 1
test ! -e subdirectory/few/CTestTestfile.cmake ||
  ! grep -q add_test subdirectory/few/CTestTestfile.cmake

project fetched -DFEW_CUDA=OFF
