# Each public header compiles by itself, as strict C11 and as C++17. So do the C examples of
# README.md and docs/guide.md, as C11.
cxx=$(command -v c++ || command -v g++ || command -v clang++ || true)
[ -n "$cxx" ] || echo "no C++ compiler: headers are checked as C only"
failed=0
# The headers of models, runners, sampling and inspection are separate.
for one in model.h:few_model_load run.h:few_runner_create sample.h:few_sample \
  inspect.h:few_model_tangent export.h:few_export_onnx import.h:few_import; do
  grep -q "\b${one#*:}(" "$prefix/include/few/${one%:*}" ||
    { echo "few/${one%:*} does not declare ${one#*:}" >&2; failed=1; }
done
for header in $(cd "$prefix/include" && find . -name '*.h' | sed 's|^\./||' | sort); do
  printf '#include <%s>\nextern int unit;\n' "$header" >header.c # a unit is not empty
  cp header.c header.cc
  "$@" -std=c11 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only -I"$prefix/include" header.c ||
    { echo "$header: not clean as C11" >&2; failed=1; }
  [ -z "$cxx" ] || "$cxx" -std=c++17 \
    -pedantic-errors -Wall -Wextra -Werror -fsyntax-only -I"$prefix/include" header.cc ||
    { echo "$header: not clean as C++17" >&2; failed=1; }
done
sed -n '/^```c$/,/^```$/p' "$source/README.md" | grep -v '^```' >readme.c
"$@" -std=c11 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only -I"$prefix/include" readme.c
awk '/^```c$/ { n++; on = 1; next } /^```$/ { on = 0 } on { print > ("guide" n ".c") }' \
  "$source/docs/guide.md"
test -e guide1.c
for block in guide*.c; do
  "$@" -std=c11 -D_POSIX_C_SOURCE=200809L \
    -pedantic-errors -Wall -Wextra -Werror -fsyntax-only -I"$prefix/include" \
    "$block" || failed=1
done
exit $failed
