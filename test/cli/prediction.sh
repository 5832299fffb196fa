# The prediction of a network is written, shown, inherited by a student, and changed by a recipe.
"$few" train "$here/moons.ini" --run e --quiet steps=2 prediction=eps time_transform=vp || exit 9
"$few" show e/model.safetensors | grep '^predicts'
distil="steps=2 objective=scd teacher=e/model.safetensors tangent_warmup=1"
"$few" train "$here/moons.ini" --run s --quiet $distil || exit 9
"$few" show s/model.safetensors | grep '^predicts'
"$few" train "$here/moons.ini" --run f --quiet $distil prediction=F || exit 9
"$few" show f/model.safetensors | grep '^predicts'
"$few" check s/model.safetensors >out || { cat out; exit 9; }
"$few" train "$here/moons.ini" --run x steps=2 prediction=noise 2>&1 | sed -n 's/.*: there/there/p'
printf 'data = toy:moons\nnet = convnet\nobjective = classifier\nprediction = x\n' >c.ini
"$few" train c.ini --run x 2>&1 | sed -n 's/.*: p/p/p'
"$few" train "$here/moons.ini" --run p steps=12 objective=progressive start=8 \
  teacher=e/model.safetensors \
  prediction=F 2>&1 | sed -n 's/.*: o/o/p'
