# A classifier is looked at and checked like any model, and makes no pictures.
model="$here/../../models/fashion-features.safetensors"
"$few" show "$model" | grep -E '^(net|trained|sampler|parameters)|^out '
"$few" check "$model" | grep -c ' ok$'
"$few" sample "$model" --out a.png 2>&1 | sed 's/.*: net/net/'
[ ! -e a.png ] || exit 9
"$few" train "$here/tiny-unet.ini" --run a net=convnet 2>&1 | sed 's/.*: net/net/'
"$few" train "$here/tiny-unet.ini" --run a objective=classifier 2>&1 | sed 's/.*: net/net/'
[ ! -e a ] || exit 9
