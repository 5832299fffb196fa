# few show and few check on a model, and on a file that is not a model.
"$few" train "$here/moons.ini" --run run --quiet steps=5 || exit 9
"$few" show run/model.safetensors >a || exit 9
"$few" show run/model.safetensors --graph >b || exit 9
test "$(wc -l <b)" -gt "$(wc -l <a)" || exit 9
"$few" show run/model.safetensors --metadata | grep -q '"mlp"' || exit 9
"$few" check run/model.safetensors >c || exit 9
"$few" check run/model.safetensors --json | grep -c '"ok": true' >d || exit 9
test "$(grep -c ' ok$' c)" = 3 || exit 9
"$few" check run/model.safetensors --straightness --n 8 --steps 4 |
  grep -Eq '^straightness [0-9.e-]+ per value' || exit 9
"$few" check run/model.safetensors --straightness --n 8 --steps 4 --json |
  grep -q '"straightness": ' || exit 9
grep -Eo "^(data|sampler) +[a-z]+" a
"$few" show "$here/moons.ini" 2>/dev/null
echo "exit $?"
"$few" check missing 2>/dev/null
echo "exit $?"
