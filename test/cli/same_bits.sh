# A U-Net on real images: the same bytes for 1, 2 and 3 workers, and after kill -9 at any moment.
fail() {
  echo "$@"
  exit 9
}
train() {
  run=$1
  shift
  "$few" train "$here/tiny-unet.ini" --run "$run" --quiet "$@"
}
test -e /usr/share/datasets/fashion-mnist || {
  echo "note: dataset-fashion-mnist is not installed: skipped" >&2
  exit 0
}
train teacher augment=0.3 || fail "no teacher"
for objective in diffusion scd progressive vsd+adversarial; do
  given="objective=$objective"
  [ $objective = progressive ] && given="$given start=8"
  [ $objective = diffusion ] || [ $objective = scd ] && given="$given augment=0.3"
  [ $objective = diffusion ] || given="$given teacher=teacher/model.safetensors optimizer=radam"
  # shellcheck disable=SC2086  # words
  train whole $given workers=1 || fail "no run"
  for workers in 2 3; do
    # shellcheck disable=SC2086
    train other $given workers=$workers || fail "no run with $workers workers"
    cmp whole/model.safetensors other/model.safetensors || fail "$objective: $workers workers"
    rm -r other
  done
  for wait in 0.15 0.4 0.8; do
    # shellcheck disable=SC2086
    "$few" train "$here/tiny-unet.ini" --run killed --quiet $given &
    sleep $wait
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
  done
  # shellcheck disable=SC2086
  train killed $given || fail "not resumed"
  cmp whole/model.safetensors killed/model.safetensors ||
    fail "$objective: other bytes after kill -9"
  rm -r whole killed
done
