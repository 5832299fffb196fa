# Recipes that cannot be trained are refused with a sentence; wrong arguments are usage errors.
try() {
  "$few" train "$@" 2>err
  echo "exit $?: $(wc -l <err) line"
}
try --run x
try steps=3 --run x
try "$here/moons.ini" steps --run x
try "$here/moons.ini"
try missing.ini --run x
try "$here/moons.ini" --run x stesp=3
try "$here/moons.ini" --run x steps=many
try "$here/moons.ini" --run x data=toy:moonz
try "$here/moons.ini" --run x objective=scd
printf 'data = toy:moons\n' >bare.ini
try bare.ini --run x
grep -o 'no net: give net = unet' err
"$few" train "$here/moons.ini" --run t --quiet steps=2 || exit 9
for sum in "scd vsd" "scd + + vsd" "scd +"; do
  try "$here/moons.ini" --run s objective="$sum" teacher=t/model.safetensors
  sed 's/.*moons.ini: //' err
done
try "$here/moons.ini" --run s objective="scd + vsd" teacher=t/model.safetensors vsd.weight=much
cat err
try "$here/moons.ini" --run s objective=progressive start=128 teacher=t/model.safetensors steps=4 \
  lr_shape=linear
grep -o 'cannot be cut into the 8 stages' err
try "$here/moons.ini" --run s eps=0
"$few" train "$here/moons.ini" --run s --quiet steps=2 objective=scd teacher=t/model.safetensors \
  tangent_warmup=4 2>&1 | grep -o 'tangent_warmup: .*'
try "$here/moons.ini" --run s objective=vsd f=js teacher=t/model.safetensors
grep -o 'train with objective = vsd + adversarial' err
try "$here/moons.ini" --run s objective="vsd + adversarial" f=js \
  adversarial.adversary=hinge teacher=t/model.safetensors
grep -o 'and adversary = logistic' err
"$few" train "$here/moons.ini" --run f --quiet steps=2 objective="vsd + adversarial" f=js \
  teacher=t/model.safetensors || exit 9
