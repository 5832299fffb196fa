# libfew.so exports exactly the functions and tables that the headers declare with FEW_API.
so=$(find "$prefix" -name libfew.so)
[ -n "$so" ] || { echo "no libfew.so: built with -DFEW_SHARED=OFF"; exit 77; }
find "$prefix/include" -name '*.h' -exec cat {} + | tr '\n' ' ' | grep -o 'FEW_API [^;{]*' |
  grep -o '\bfew_[A-Za-z0-9_]*[[(]' | tr -d '[(' | sort -u >declared
nm -D --defined-only "$so" | sed 's/.* //' | grep -v '^_\(init\|fini\|edata\|end\|_bss_start\)$' |
  grep -v '^__\(asan\|tsan\|ubsan\|sanitizer\|odr_asan\)' | sort -u >exported
diff declared exported
# Every function of the headers has FEW_API.
(cd "$prefix/include" && find . -name '*.h' | sed 's|^\./|#include <|; s|$|>|') >all.c
"$@" -E -P -I"$prefix/include" all.c | tr '\n' ' ' | tr ';' '\n' |
  grep -E '(^|[ *])few_[A-Za-z0-9_]+\(' | grep -v 'visibility\|return\|static\|=' >hidden || true
if [ -s hidden ]; then cat hidden; exit 1; fi
test "$(wc -l <exported)" -gt 100
# The SONAME that programs record, and its version.
objdump -p "$so" | grep -q "SONAME *libfew.so.[0-9.]*$"
test -e "$(dirname "$so")/$(objdump -p "$so" | sed -n 's/.*SONAME *//p')"
test -e "$so.$(pkg-config --modversion few)"
