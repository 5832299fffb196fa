# Files of other programs become models: pickles of EDM and EDM2, a state dict of SiT.
fail() {
  echo "$@"
  exit 9
}
pickles=$here/../io/data/persistent
sit=$here/../model/import/data/sit.pt
"$few" import edm "$pickles/y_edm.pkl" --out edm.safetensors || fail "no EDM"
"$few" import "$pickles/y_edm2.pkl" --out edm2.safetensors || fail "no EDM2"
"$few" import sit "$sit" num_heads=2 --out sit.safetensors || fail "no SiT"
for name in edm edm2 sit; do
  "$few" sample $name.safetensors --n 16 --seed 1 --steps 4 --out $name.npy --quiet ||
    fail "$name: none"
  printf 'data = npy:%s.npy,%s.labels.npy\n' $name $name >r.ini
  printf 'steps = 4\nbatch = 8\nshards = 2\ntangent_warmup = 2\n' >>r.ini
  "$few" train r.ini --run run_$name --quiet teacher=$name.safetensors objective=scd 2>err ||
    fail "$name: $(cat err)"
  "$few" sample run_$name/model.safetensors --n 2 --steps 2 --out s.npy --quiet ||
    fail "$name: no samples"
done
cd "$here/.." || exit 9
for name in io/data/persistent/n_system.pkl io/data/persistent/y_positional.pkl \
  model/import/data/sit.pt "sit model/import/data/sit.pt" \
  "sit model/import/data/sit.pt num_heads=3" "sit model/import/data/sit.pt num_heads=2 depth=1"; do
  # shellcheck disable=SC2086 # several words
  "$few" import $name --out "$OLDPWD/no.safetensors" 2>&1 && fail "$name: imported"
done
exit 0
