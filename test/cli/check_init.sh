# few check --init: one row per block, zeros where the network starts at zero, JSON, and errors.
r=$here/moons.ini
"$few" check --init "$r" layers=2 | awk '/^Zeros are normal here/ { exit } { print $1 }'
"$few" check --init "$r" layers=2 | grep -c '^Zeros are normal here'
"$few" check --init "$r" layers=2 --fill | grep -c '^0 is'
"$few" check --init "$r" layers=2 | awk '$1 == "out" { print $3 } $1 == "layer.0" { print $4 }'
"$few" check --init "$r" layers=2 --fill | awk '$1 == "out" && $3 > 0 { print "filled" }'
"$few" check --init "$r" layers=2 --json | grep -c '"block": "layer.1", "shape": "16x128"'
"$few" check --init "$r" layers=two 2>&1 | sed 's/.*: layers/layers/'
"$few" check a b 2>&1 | head -1
