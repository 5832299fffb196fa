# Programs in C and C++ that add components of every kind, or use the engine, with the installed
# package.
# shellcheck shell=sh
# shellcheck disable=SC2046,SC2154  # flags are words; run.sh sets the variables
"$@" -std=c11 -Wall -Wextra -Werror "$source/examples/objective_robust.c" -o robust \
  $(pkg-config --cflags --libs few) -Wl,-rpath,"$lib"
./robust "$source/recipes/toy-teacher.ini" run objective=robust huber_c=0.2 steps=3 \
  preview_every=0 >/dev/null
grep -q '^objective = robust' run/recipe.ini
grep -q '^huber_c = 0.2' run/recipe.ini
if ./robust "$source/recipes/toy-teacher.ini" run2 objective=robust huber_c=-1 2>message; then
  exit 1
fi
grep -q 'huber_c' message

# A reader, a network and a sampler.
"$@" -std=c11 -Wall -Wextra -Werror "$here/components.c" -o components \
  $(pkg-config --cflags --libs few) -lm -Wl,-rpath,"$lib"
./components

cxx=$(command -v c++ || command -v g++ || command -v clang++ || true)
[ -n "$cxx" ] || exit 0
shift # the C compiler: its flags are those of C++ too
"$cxx" "$@" -std=c++17 -Wall -Wextra -Werror "$source/examples/metric_copies.cpp" -o copies \
  $(pkg-config --cflags --libs few) -Wl,-rpath,"$lib"
test "$(./copies toy:mixture toy:mixture)" = 'copies 1'
"$cxx" "$@" -std=c++17 -pedantic-errors -Wall -Wextra -Werror "$here/engine.cc" -o engine \
  $(pkg-config --cflags --libs few) -Wl,-rpath,"$lib"
./engine
