# Usage errors: a sentence on stderr that ends with what to do, and exit code 2.
try() {
  "$few" "$@" 2>&1
  echo "exit $?"
}
try smaple
try frobnicate
try help smaple
try data
try data a b
try data toy:moons --colums 3
try data toy:moons --xyzzy
try data toy:moons -n 3
try data toy:moons --n
try data toy:moons --n --json
try data toy:moons --n 0
try data toy:moons --n 3x
try data toy:moons --n ''
try data toy:moons --n 99999999999999999999
try data toy:moons --split tset
try data toy:moons --json=yes
try data toy:moons --out=
try version now
# A name with control characters does not affect the terminal.
"$few" show "$(printf 'no\033[2J\302\233file')" 2>&1 || true
