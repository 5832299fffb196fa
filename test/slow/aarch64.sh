# Run when: src/engine/backend/cpu/, src/base/, or a library that few links changed, and before a
# release.
#
# few on another architecture. Debian's cross compiler builds it with Debian's libraries for arm64,
# which apt downloads into build/aarch64/root (35 MB; this system is not changed). qemu-aarch64 runs
# it: the kernels, compared with their definition, training, sampling and evaluation.
build=$source/build/aarch64
root=$build/root
for tool in aarch64-linux-gnu-gcc qemu-aarch64 apt-get dpkg; do
  command -v $tool >/dev/null || { echo "no $tool: scripts/install-deps.sh slow"; exit 77; }
done

# fetch: the packages of install-deps.sh that are libraries, and all that they need.
fetch() {
  local apt=$build/apt
  mkdir -p "$apt/lists/partial" "$apt/archives/partial"
  touch "$apt/status"
  cat >"$apt/conf" <<END
APT { Architecture "arm64"; Architectures { "arm64"; }; };
Dir { State "$apt"; State { Lists "$apt/lists"; status "$apt/status"; };
      Cache "$apt"; Cache { archives "$apt/archives"; }; };
Debug { NoLocking "true"; };
END
  export APT_CONFIG=$apt/conf
  apt-get -qq update
  # shellcheck disable=SC2046  # one argument a package
  apt-get -qq -y install --no-install-recommends --download-only libgcc-12-dev \
    $("$source/scripts/install-deps.sh" --names build test | grep -E '^lib.*-dev$' | grep -v tcc)
  unset APT_CONFIG
  for file in "$apt"/archives/*.deb; do dpkg -x "$file" "$root"; done
  local libraries=$root/usr/lib/aarch64-linux-gnu
  # What update-alternatives does when these are installed.
  for name in libblas.so.3 liblapack.so.3 libopenblas.so.0; do
    ln -sf openblas-pthread/$name "$libraries/$name"
  done
  for name in blas lapack; do
    ln -sf openblas-pthread/lib$name.so "$libraries/lib$name.so"
    ln -sf "../openblas-pthread/pkgconfig/$name-openblas.pc" "$libraries/pkgconfig/$name.pc"
  done
  touch "$root/fetched"
}
[ -e "$root/fetched" ] || fetch

cat >"$build/toolchain.cmake" <<END
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_SYSROOT "$root")
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
END
libraries=$root/usr/lib/aarch64-linux-gnu
export PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$root/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
export QEMU_LD_PREFIX=$root QEMU_SET_ENV=LD_LIBRARY_PATH=$libraries
cmake -S "$source" -B "$build/few" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$build/toolchain.cmake" \
  -DFEW_CUDA=OFF \
  -DCMAKE_BUILD_TYPE=Release
tests='cpu_math cpu_gemm cpu_conv cpu_attention cpu_reduce'
# shellcheck disable=SC2046
cmake --build "$build/few" --target few_program $(printf 'test_engine_backend_%s ' $tests) \
  test_base_rng

for test in $(printf 'engine_backend_%s ' $tests) base_rng; do
  echo "$test"
  qemu-aarch64 "$build/few/test/test_$test" >said 2>&1 || { tail -n 20 said; exit 1; }
done
"$source/test/processors/run.sh" "$build/few/few" "$(command -v qemu-aarch64)" max base
