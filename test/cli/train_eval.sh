# few train evaluates on a schedule. This does not change the bits of training. A resumed run has
# each line once. An evaluation that was stopped is repeated.
fail() {
  echo "$@"
  exit 9
}
features="fashion=$here/../../models/fashion-features.safetensors"
measure="eval_every=4 eval_n=40 eval_steps=2 eval_metrics=fd,agreement,pr eval_features=$features"
train() {
  run=$1
  shift
  # shellcheck disable=SC2086  # words
  "$few" train "$here/tiny-unet.ini" --run "$run" "$@" 2>err
}
lines() {
  grep -o '"eval":.*"seconds"' "$1/log.jsonl"
}
train plain --quiet || fail "no run: $(cat err)"
train default steps=1 $measure || fail "not evaluated: $(cat err)"
grep -q "eval_every = 4: an evaluation samples 40 images with 3 network evaluations each and \
compares 96 features of each, which computes as much as .* steps" err ||
  fail "cost not told: $(cat err)"
grep -q "step 1: fd .*, agreement .*, of 40 images, 3 network evaluations each; fashion features, \
against fashion-mnist:test" err ||
  fail "nothing told: $(cat err)"
eval='"reference":"fashion-mnist:test","reference_hash":"[0-9a-f]*","n_reference":10000'
grep -q '^{"step":1,"eval":{'"$eval"',"features":"fashion",.*"nfe":3,' default/log.jsonl ||
  fail "line: $(cat default/log.jsonl)"
"$few" data fashion-mnist:test --n 60 --out small.npy 2>err >&2 || fail "no reference: $(cat err)"
measure="$measure eval_ref=small.npy"
train whole --quiet $measure || fail "not evaluated: $(cat err)"
cmp plain/model.safetensors whole/model.safetensors || fail "another model"
for step in 6 8; do
  cmp plain/checkpoint-00000000$step.safetensors whole/checkpoint-00000000$step.safetensors ||
    fail "another checkpoint $step"
done
test "$(grep -c '^{"step":[48],"eval":.*"n_reference":60,.*"n":40,' whole/log.jsonl)" = 2 ||
  fail "lines: $(cat whole/log.jsonl)"
# Points, and a saved reference.
"$few" train "$here/moons.ini" --run points steps=4 eval_every=2 eval_n=200 2>err ||
  fail "points: $(cat err)"
grep -q 'step 4: fd .*, energy .*, of 200 points, .* against toy:.*, held-out part' err ||
  fail "$(cat err)"
"$few" eval --ref small.npy --save-ref small.safetensors --features "$features" --quiet 2>err ||
  fail "not saved: $(cat err)"
train saved --quiet $measure eval_ref=small.safetensors || fail "not evaluated: $(cat err)"
lines whole >a
lines saved >b
test "$(sed 's/.*"n":40//; s/"seconds".*//' a)" = "$(sed 's/.*"n":40//; s/"seconds".*//' b)" ||
  fail "saved: $(cat a b)"
# A run in two parts, with different numbers of workers, has the same lines.
train parts --quiet $measure --workers 1 steps=5 || fail "no first part: $(cat err)"
train parts --quiet $measure --workers 3 || fail "no second part: $(cat err)"
test "$(grep -c '"eval"' parts/log.jsonl)" = 3 || fail "lines: $(cat parts/log.jsonl)" # 4, 5, 8
lines whole >a
grep -v '"step":5,' parts/log.jsonl | grep -o '"eval":.*"seconds"' >b
cmp a b || fail "other numbers: $(cat a b)"
# A finished run without its last line gets it, once.
sed -i '/"step":8,"eval"/d' parts/log.jsonl
train parts --quiet $measure || fail "not made up for: $(cat err)"
train parts --quiet $measure || fail "not again: $(cat err)"
grep -v '"step":5,' parts/log.jsonl | grep -o '"eval":.*"seconds"' >b
cmp a b || fail "made up for: $(cat a b)"
# If a run is stopped in an evaluation that would take hours, the step is kept, and its line is
# written when the run is resumed.
"$few" train "$here/tiny-unet.ini" --run stopped $measure eval_n=100000000 preview_every=4 \
  preview_n=4 preview_steps=1 2>err &
for _ in $(seq 300); do # a busy machine takes long
  grep -q '"step":4,' stopped/log.jsonl 2>/dev/null && break
  sleep 0.2
done
sleep 0.2
kill -s INT $!
wait $!
code=$?
test $code = 130 || fail "exit code $code: $(cat err)"
test -s stopped/checkpoint-000000004.safetensors || fail "step 4 is lost"
test -s stopped/preview-000000004.png || fail "the preview of step 4 is lost"
grep -q "warning: eval_every = 4: .*times as much as its training. A smaller eval_n" err ||
  fail "no warning of the cost: $(cat err)"
grep -q "evaluation at step 4 (a resumed run makes it up first; eval_every=0 leaves it out)" err ||
  fail "not told what was stopped: $(cat err)"
# A preview that a stop prevented is made when the run is resumed.
rm stopped/preview-000000004.png
train stopped --quiet $measure preview_every=4 preview_n=4 preview_steps=1 ||
  fail "not resumed: $(cat err)"
lines stopped >b
test -s stopped/preview-000000004.png || fail "the preview of step 4 is not made up for"
cmp a b || fail "stopped: $(cat a b)"
# A part of the data is held out for evaluations; the training has the rest.
train held eval_every=4 eval_n=40 eval_steps=1 eval_features="$features" data_holdout=0.1 steps=4 ||
  fail "no held-out part: $(cat err)"
eval='"reference":"fashion-mnist, held-out part","reference_hash":"[0-9a-f]*","n_reference":20,'
grep -q "$eval" held/log.jsonl ||
  fail "held out: $(grep eval held/log.jsonl)"
grep -q "fashion-mnist: 180 images" err || fail "trained on: $(cat err)"
# Mistakes are reported before the first step.
for wrong in eval_metrics=fdi eval_ref=missing: eval_features=inception eval_guidance=2; do
  train wrong --quiet $measure $wrong labels=no && fail "$wrong went well"
  test -e wrong/log.jsonl && fail "$wrong: a run began"
done
exit 0
