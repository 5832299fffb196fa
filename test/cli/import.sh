# Networks of diffusers become models that are sampled, measured, and used as teachers.
fail() {
  echo "$@"
  exit 9
}
data=$here/../model/import/data
for name in ddpm_v dit adm_flow cm; do
  "$few" import diffusers "$data/$name" --out $name.safetensors || fail "$name: no model"
  "$few" sample $name.safetensors --n 24 --seed 1 --out $name.npy --quiet || fail "$name: none"
done
"$few" show dit.safetensors | grep -q "class 3" || fail "the classes have no names"
"$few" show dit.safetensors --metadata |
  grep -q '"imported_from":"diffusers DiTTransformer2DModel, dit"' || fail "of unknown origin"
"$few" show ddpm_v.safetensors | grep -q "^process     ddpm: " || fail "no process"
# Without a format the same layout is found; the same source gives the same bytes.
"$few" import "$data/dit" --out again.safetensors --quiet || fail "no second model"
cmp dit.safetensors again.safetensors || fail "another model"
train() { # TEACHER KEY=VALUE...
  name=$1
  shift
  rm -rf run
  printf 'data = npy:%s.npy,%s.labels.npy\n' "$name" "$name" >r.ini
  printf 'steps = 4\nbatch = 8\nshards = 2\n' >>r.ini
  "$few" train r.ini --run run --quiet "$@" 2>err || fail "$name $*: $(cat err)"
  "$few" sample run/model.safetensors --n 2 --out s.npy --quiet || fail "$name $*: no samples"
}
train ddpm_v teacher=ddpm_v.safetensors objective=scd tangent_warmup=2
train ddpm_v teacher=ddpm_v.safetensors objective=vsd
train ddpm_v init=ddpm_v.safetensors objective=ect
train ddpm_v teacher=ddpm_v.safetensors objective=progressive steps=8
train adm_flow teacher=adm_flow.safetensors objective=scd tangent_warmup=2
train adm_flow init=adm_flow.safetensors objective=ect
train dit teacher=dit.safetensors objective=guided
train dit teacher=dit.safetensors objective=scd tangent_warmup=2 guidance_min=1 guidance_max=2
train cm init=cm.safetensors objective=ct
# The recipe of docs/guide.md.
sed -n '/^The recipe, `distil.ini`:$/,/^```$/p' "$here/../../docs/guide.md" |
  sed '1,/^```ini$/d; /^```$/d' >distil.ini
cp adm_flow.safetensors teacher.safetensors
rm -rf run
"$few" train distil.ini --run run --quiet data=npy:adm_flow.npy,adm_flow.labels.npy steps=2 \
  batch=16 2>err || fail "distil.ini: $(cat err)"
# A student whose last layer differs from the model's is told so.
"$few" train r.ini --run no --quiet init=cm.safetensors objective=ect prediction=F 2>err &&
  fail "started"
grep -q "give prediction = edm" err || fail "$(cat err)"
# A consistency model has no velocity field.
"$few" train r.ini --run no --quiet teacher=cm.safetensors objective=scd 2>err && fail "taught"
grep -q "learned the jumps" err || fail "$(cat err)"
"$few" eval ddpm_v.safetensors --ref npy:ddpm_v.npy,ddpm_v.labels.npy --features pixels --n 24 \
  --steps 5 --metrics fd --quiet --json >report 2>err || fail "not measured: $(cat err)"
grep -q '"name":"fd","value":[0-9]' report || fail "$(cat report)"
cd "$data" || exit 9
"$few" import dit/transformer --out no.safetensors 2>&1 && fail "without a process"
"$few" import dit/transformer --process ddpm --quiet --out "$OLDPWD/bare.safetensors"
"$few" import nonsense dit --out no.safetensors 2>&1
"$few" import dit/scheduler --out no.safetensors 2>&1
"$few" import dit 2>&1
cd "$OLDPWD" || exit 9
"$few" list layouts | grep -q "^  UNet2DModel .*(OpenAI's consistency models)" || fail "not listed"
