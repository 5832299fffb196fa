# tensorboard = yes: events of each line and preview once, also when a run is resumed.
fail() {
  echo "$@"
  exit 9
}
keys="steps=20 batch=16 width=16 log_every=10 checkpoint_every=10 preview_every=10 preview_n=4
  preview_steps=2 lr_shape=constant"
"$few" train toy-teacher --quiet --run run $keys tensorboard=yes 2>err || fail "$(cat err)"
events=run/events.out.tfevents.few
count() { grep -ao "$1" $events | wc -l; }
[ "$(count grad_norm)" = 3 ] || fail "steps 1, 10 and 20 have $(count grad_norm) events"
[ "$(count preview)" = 2 ] || fail "$(count preview) previews"
[ "$(count IHDR)" = 2 ] || fail "no PNG in it"
[ "$(head -c 38 $events | tail -c 13)" = brain.Event:2 ] || fail "no version"
"$few" train toy-teacher --quiet --run run $keys steps=30 tensorboard=yes 2>err || fail "$(cat err)"
[ "$(count grad_norm)" = 4 ] && [ "$(count preview)" = 3 ] || fail "not resumed"
"$few" train toy-teacher --quiet --run other $keys 2>err || fail "$(cat err)"
[ -e other/events.out.tfevents.few ] && fail "events that nobody wanted"
cmp run/preview-000000020.png other/preview-000000020.png || fail "other training"
exit 0
