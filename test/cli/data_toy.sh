# few data on points: the table, the same as JSON, and an array that can be read as a data set.
"$few" data toy:moons --limit 1000 --out p.npy --n 50 --first 10 || exit 9
"$few" data toy:moons --limit 1000 --json || exit 9
"$few" data npy:p.npy,p.labels.npy || exit 9
# An option may come before or after operands, and with an equals sign; -- ends the options.
"$few" data --limit=1000 toy:moons >a && "$few" data --limit 1000 -- toy:moons >b && cmp a b
# An image of points shows their density.
"$few" data toy:moons --n 5000 --out p.png --json >a && test -s p.png
