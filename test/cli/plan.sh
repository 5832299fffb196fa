# few plan: file sizes equal those that the run writes, operations are counted, and no files are
# left. bench/plan.sh compares times.
fail() {
  echo "$@"
  exit 9
}
keys="steps=40 checkpoint_every=10 preview_every=20 log_every=10 ema=100"
number() {
  grep -o "\"$1\": [^,}]*" plan.json | sed 's/.*: //'
}
near() { # NAME PLANNED REAL SHARE
  awk -v a="$2" -v b="$3" -v share="$4" \
    'BEGIN { exit !(a > b * (1 - share) && a < b * (1 + share)) }' ||
    fail "$1: planned $2, and it is $3"
}
bytes() {
  cat "$@" | wc -c
}
# shellcheck disable=SC2086  # words
"$few" plan "$here/moons.ini" $keys --json --quiet >plan.json 2>err || fail "no plan: $(cat err)"
ls -A | grep few-plan && fail "left behind"
# shellcheck disable=SC2086
"$few" train "$here/moons.ini" $keys --run run --quiet 2>err || fail "no run: $(cat err)"
near model "$(number model_bytes)" "$(bytes run/model.safetensors)" 0.05
near checkpoints "$(number checkpoint_bytes)" \
  "$(($(bytes run/checkpoint-000000040.safetensors) * 3))" 0.05
near log "$(number log_bytes)" "$(bytes run/log.jsonl)" 0.3
[ "$(number steps)" = 40 ] || fail "steps: $(cat plan.json)"
[ "$(number preview_bytes)" -gt 100 ] || fail "previews: $(cat plan.json)"
for name in parameters step_flops step_seconds seconds memory_bytes disk_bytes; do
  awk -v x="$(number $name)" 'BEGIN { exit !(x > 0) }' || fail "$name: $(cat plan.json)"
done
# Twice the batch needs twice the operations.
cp plan.json one.json
# shellcheck disable=SC2086
"$few" plan "$here/moons.ini" $keys batch=128 --json --quiet >plan.json 2>err ||
  fail "no plan: $(cat err)"
twice=$(number step_flops)
cp one.json plan.json
batch=$(number batch)
near flops "$twice" \
  "$(awk -v f="$(number step_flops)" -v b="$batch" 'BEGIN { print f * 128 / b }')" 0.01
# For a student that learns from pairs, only a few pairs are made, but all are counted.
# shellcheck disable=SC2086
"$few" plan "$here/moons.ini" $keys objective=direct teacher=run/model.safetensors pairs=3000 \
  --json \
  --quiet >plan.json 2>err || fail "no plan of pairs: $(cat err)"
near pairs "$(number pairs_bytes)" $((3000 * 2 * 4)) 0.2
"$few" plan "$here/moons.ini" 2>err | sed 's/ .*//'
"$few" plan "$here/moons.ini" steps 2>&1
"$few" plan missing.ini 2>err
echo "exit $?: $(wc -l <err) line"
