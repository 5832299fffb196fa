# A program that samples is linked with libfew.a. It needs neither LAPACK nor libzip nor libjpeg,
# nor any part of few that trains or measures. If it needed one of these, it would not link.
case "$*" in *-fsanitize*) echo "not with sanitizers"; exit 77 ;; esac
sed -n '/^```c$/,/^```$/p' "$source/README.md" | grep -v '^```' >readme.c
needs='-lpng -ljansson -lz -lm -ldl -pthread'
# shellcheck disable=SC2086
"$@" readme.c -o sampler -I"$prefix/include" "$lib/libfew.a" $needs
ldd sampler >libraries
if grep -E 'blas|lapack|gfortran|zip|jpeg|webp' libraries; then exit 1; fi
nm sampler >names
other='lapack|zip_open|jpeg_Create|WebPDecode| few_train| few_eval| few__frechet'
if grep -iE "$other" names; then exit 1; fi
if [ -x "$build/few" ]; then
  "$build/few" train "$here/../cli/moons.ini" --run run --quiet steps=5
  ./sampler run/model.safetensors
  test -s images.png
fi
# The same through pkg-config, which names all libraries: those that are not used are left out.
# shellcheck disable=SC2046
"$@" readme.c -o sampler2 $(pkg-config --static --cflags --libs few | sed 's/-lfew /-l:libfew.a /')
if ldd sampler2 | grep -E 'blas|lapack|gfortran|zip|jpeg|webp'; then exit 1; fi
# Without any shared library, if static ones are installed. The linker warns about dlopen, which
# then finds no GPU backend.
# shellcheck disable=SC2086
if "$@" -static readme.c -o sampler3 -I"$prefix/include" "$lib/libfew.a" $needs 2>message; then
  strip sampler3
  echo "static: $(wc -c <sampler3) bytes"
  test "$(wc -c <sampler3)" -lt 6000000
fi
