# What cannot be trained is refused with a sentence; what the shell got wrong is a usage error.
try() {
  "$few" train "$@" 2>err
  echo "exit $?: $(wc -l <err) line"
}
try --run x
try steps=3 --run x
try "$here/moons.ini" steps --run x
try "$here/moons.ini"
try missing.ini --run x
try "$here/moons.ini" --run x stesp=3
try "$here/moons.ini" --run x steps=many
try "$here/moons.ini" --run x data=toy:moonz
try "$here/moons.ini" --run x objective=scd
