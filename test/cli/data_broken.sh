# Broken IDX files: truncated, not IDX, empty, a label that is not a class.
try() {
  "$few" "$@" 2>&1
  echo "exit $?"
}
printf '\000\000\010\003\000\000\000\003\000\000\000\002\000\000\000\002abcdabcdab' >cut
printf 'hello, this is no IDX file' >hello
: >empty
try data idx:cut
try data idx:cut --skip-errors
try data idx:hello
try data idx:empty
try data idx:missing
try data idx:cut --skip-errors --out grid.png --n 9
test -s grid.png && echo "a grid"
try data idx:cut --skip-errors --out grid.jpg
quiet() {
  "$few" "$@" 2>&1 >table
  echo "exit $?"
}
quiet data toy:moonz
quiet data toy:moons --limit 10 --first 10 --out p.npy
