# Augmented rows depend on the seed and on nothing else; they are bytes again; points are refused.
fail() {
  echo "$*" >&2
  exit 1
}
printf '\000\000\010\003\000\000\000\004\000\000\000\004\000\000\000\004' >images
printf 'abcdefghijklmnopABCDEFGHIJKLMNOP0123456789012345!@#$%%^&*()_+-=[]' >>images
printf '\000\000\010\001\000\000\000\004\003\001\004\001' >labels
set -- data idx:images,labels --augment 0.5 --n 9
"$few" "$@" --out a.npy >said || fail "not written"
grep -q "^written   a.npy: 9 augmented rows$" said || fail "$(cat said)"
"$few" "$@" --out b.npy --augment-translate-int 0 >said || fail "not written again"
"$few" "$@" --out c.npy --seed 2 >said || fail "no other seed"
"$few" "$@" --out d.npy --first 4 --n 5 >said || fail "no later rows"
cmp a.npy b.npy || fail "one seed, two sets"
cmp -s a.npy c.npy && fail "two seeds, one set"
tail -c 80 a.npy >last.a && tail -c 80 d.npy >last.d && cmp last.a last.d ||
  fail "a row depends on where the file begins"
test "$(tail -c 36 a.labels.npy | od -An -td4 -v | tr -s ' \n' '\n' | sort -u | xargs)" = "1 3 4" ||
  fail "labels are not the numbers of the file"
"$few" data toy:moons --augment 0.1 --out x.png >said 2>&1 && fail "points were augmented"
grep -q "toy:moons are points, and only images are augmented" said || fail "$(cat said)"
"$few" data idx:images --augment 2 --out x.png >said 2>&1 && fail "p = 2"
exit 0
