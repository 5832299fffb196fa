# A classifier is shown and checked like any model, and cannot be sampled.
model="$here/../../models/fashion-features.safetensors"
"$few" show "$model" | grep -E '^(net|trained|sampler|parameters)|^out '
"$few" check "$model" | grep -c ' ok$'
"$few" sample "$model" --out a.png 2>&1 | sed 's/.*: net/net/'
[ ! -e a.png ] || exit 9
"$few" train "$here/tiny-unet.ini" --run a net=convnet 2>&1 | sed 's/.*: net/net/'
"$few" train "$here/tiny-unet.ini" --run a objective=classifier 2>&1 | sed 's/.*: net/net/'
[ ! -e a ] || exit 9
"$few" train "$here/../../recipes/fashion-features.ini" --run b preview_every=5 steps=10 \
  data_limit=100 2>&1 |
  sed -n 's/.*: preview/preview/p'
ls b 2>/dev/null | grep log.jsonl
# Its training has no times, so its log has no losses by time; that of a diffusion model has.
"$few" train "$here/../../recipes/fashion-features.ini" --run c --quiet steps=1 batch=8 \
  data_limit=100 lr_warmup=0 2>/dev/null || exit 9
grep -o '"cross_entropy[a-z_]*"' c/log.jsonl
"$few" train "$here/moons.ini" --run d --quiet steps=1 log_every=1 &&
  grep -o '"mse[a-z_]*"' d/log.jsonl
exit 0
