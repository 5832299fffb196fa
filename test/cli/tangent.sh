# df/dt by time, as a table and as JSON, and errors.
"$few" train "$here/moons.ini" --run run --quiet steps=5 || exit 9
"$few" tangent run/model.safetensors --data toy:moons --rows 8 >a || exit 9
test "$(wc -l <a)" = 17 || exit 9
"$few" tangent run/model.safetensors --data toy:moons --teacher run/model.safetensors --rows 8 \
  --json | grep -o '"slope"' >b || exit 9
test "$(wc -l <b)" = 16 || exit 9
"$few" tangent run/model.safetensors --data toy:nothing 2>/dev/null
echo "exit $?"
"$few" tangent run/model.safetensors 2>/dev/null
echo "exit $?"
