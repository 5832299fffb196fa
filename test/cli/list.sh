# few list shows the components, and the options of one. A typo gets a hint.
"$few" list >all || exit 9
for kind in nets objectives samplers schedules optimizers processes predictions weights balancers \
  data recipes train; do
  "$few" list $kind >one || exit 9
  grep -q "^$kind: " all || { echo "no $kind"; exit 9; }
done
for name in mlp unet dit uvit convnet diffusion scd sct classifier consistency ddpm euler dpm2 \
  dpmpp2s progressive \
  stochastic shortcut olss vp-linear both snr+1 cosine linear-beta adam vsd sid adversarial \
  toy:NAME; do
  grep -q "^  $name  " all || { echo "no $name"; exit 9; }
done
"$few" list nets unet | grep -q "^  channels " || exit 9
"$few" list net unet >a && "$few" list nets unet >b && cmp a b || exit 9
"$few" list samplers heun | grep -q "^  churn_noise " || exit 9
"$few" list samplers | tr -s "\n " " " | grep -q "arXiv 2206.00364" || exit 9
"$few" list data cifar | grep -q "^cifar:DIR" || exit 9
"$few" list data fashion-mnist | grep -q "^fashion-mnist\[:test\]: " || exit 9
"$few" list train | grep -q "^  steps " || exit 9
"$few" list objectives scdd 2>&1
echo "exit $?"
"$few" list sampler 2>&1 | head -1
"$few" list smaplers 2>&1
echo "exit $?"
# Recipes and models that come with few are found from any folder. If there are none, the error
# lists the folders that were searched.
"$few" list recipes | grep -q "^  toy-scd  " || exit 9
"$few" train toy-scd --run run --quiet steps=1 tangent_warmup=0 preview_every=0 || exit 9
mkdir -p bin recipes && cp "$few" bin/few
bin/few list recipes | sed "s|$PWD|.|g" | tr -s '\n ' ' ' && echo
printf '# Of my own. More.\n' >recipes/mine.ini &&
  printf '# In place of another.\n' >recipes/toy-scd.ini
"$few" list recipes | grep -E '^  (mine|toy-scd) ' | tr -s ' '
for name in nope nope.ini recipes/nope.ini; do "$few" train $name --run r 2>&1; done; true
