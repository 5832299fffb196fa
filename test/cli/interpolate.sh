# The images between two of a seed; --path shows how images arise.
fail() {
  echo "$@"
  exit 9
}
models=$here/../../models
student=$models/fashion-student.safetensors toy=$models/toy-teacher.safetensors
"$few" interpolate "$student" --from 5:3 --to 5:8 --n 4 --steps 2 --out s.npy >out 2>err ||
  fail "$(cat err)"
grep -q '^s.npy: 4 images interpolated, label [0-9] (.*) in .*, 2 evaluations of a' out ||
  fail "$(cat out)"
"$few" sample "$student" --seed 5 --first 3 --n 1 --steps 2 --out first.npy --quiet
pixels() { tail -c +"$((129 + 784 * $2))" "$1" | head -c 784 | cksum; }
[ "$(pixels s.npy 0)" = "$(pixels first.npy 0)" ] || fail "another first image"
cmp -s s.labels.npy first.labels.npy && fail "one label for all"
# with one step nothing is drawn later, and the last image is that of its index
label=$("$few" interpolate "$student" --from 5:3 --to 5:8 --n 4 --steps 1 --label bag --out s.npy \
  --json)
echo "$label" | grep -q '"label": 8, "label_name": "bag", "complete": true}' || fail "$label"
"$few" sample "$student" --seed 5 --first 8 --n 1 --steps 1 --label bag --out last.npy --quiet
[ "$(pixels s.npy 3)" = "$(pixels last.npy 0)" ] || fail "another last image"
"$few" interpolate "$student" --label bag --label 0 --n 3 --out strip.png --quiet
[ "$(head -c 24 strip.png | tail -c 8 | od -An -tx1 | tr -d ' \n')" = 0000005c0000003e ] ||
  fail "the strip is not 3 x 2 images of 28 x 28 with 2 pixels between"
# from a file, of which rows 0 and 1 are the default
"$few" encode "$toy" toy:mixture --n 3 --out ends.npy --quiet 2>err || fail "$(cat err)"
"$few" interpolate "$toy" --noise ends.npy --out a.npy --quiet 2>err || fail "$(cat err)"
"$few" interpolate "$toy" --noise ends.npy --from 0 --to 1 --n 9 --out b.npy --quiet
cmp a.npy b.npy || fail "other defaults"
# the path: each evaluation is a frame, and the last is shown by all programs
"$few" sample "$student" --n 2 --steps 2 --out g.png --path p.png --quiet 2>err || fail "$(cat err)"
[ "$(grep -ao fcTL p.png | wc -l)" = 3 ] || fail "$(grep -ao fcTL p.png | wc -l) frames"
"$few" sample "$toy" --n 50 --steps 3 --sampler euler --out t.png --path q.png --path-of estimates \
  --frame-ms 40 --quiet 2>err || fail "$(cat err)"
[ "$(grep -ao fcTL q.png | wc -l)" = 4 ] || fail "$(grep -ao fcTL q.png | wc -l) frames of points"
refused() { # COMMAND CODE WORD OPTION ...
  command=$1 code=$2 word=$3
  shift 3
  "$few" "$command" "$@" >out 2>err
  [ $? = "$code" ] || fail "$*: code $?: $(cat err)"
  grep -q -e "$word" err || fail "$*: $(cat err)"
}
refused interpolate 2 'such as 0:7' "$student" --out x.png --from 3
refused interpolate 2 'such as 0:7' "$student" --out x.png --to 3:-1
refused interpolate 2 'below 2^40' "$student" --out x.png --to 3:1099511627776
refused interpolate 2 'such as 1' "$toy" --out x.npy --noise ends.npy --from 0:1
refused interpolate 2 'no row 3' "$toy" --out x.npy --noise ends.npy --to 3
refused interpolate 2 'is no class' "$student" --out x.png --label all
refused interpolate 2 'few writes .png' "$student" --out x.gif
refused interpolate 1 'this model needs' "$student" --out x.png --noise ends.npy
refused sample 2 'ends in .png' "$toy" --out x.npy --path x.gif
refused sample 2 'same file' "$toy" --out x.png --path x.png
[ -e x.png ] && fail "a refused command wrote a file"
exit 0
