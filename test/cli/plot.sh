# Curves of runs and of reports, as SVG.
fail() {
  echo "$@"
  exit 9
}
models=$here/../../models data=$here/../record/data
[ "$("$few" plot "$data/run" --out a.svg)" = a.svg ] || fail "no drawing"
titles() { grep -A1 font-weight "$1" | sed -n 's|.*>\(.*\)</text>|\1|p' | tr '\n' ' '; }
[ "$(titles a.svg)" = "loss mse_by_time eval/fd " ] || fail "panels: $(titles a.svg)"
"$few" plot "$data/run/log.jsonl" --out b.svg --quiet || fail "no drawing of a log"
sed 's|/log.jsonl||' b.svg >c.svg
cmp a.svg c.svg || fail "a log differs from its run"
"$few" plot "$data/run" "$data/record/y_evals.jsonl" --keys loss --x seconds --log --smooth 0.5 \
  --out d.svg --quiet || fail "no options"
[ "$(titles d.svg)" = "loss " ] || fail "panels: $(titles d.svg)"
command -v xmllint >/dev/null && { xmllint --noout a.svg d.svg || fail "no XML"; }
for steps in 1 2; do
  "$few" eval "$models/toy-teacher.safetensors" --ref toy:mixture --n 100 --steps $steps --json \
    --quiet --metrics energy >$steps.json 2>err || fail "$(cat err)"
done
grep -q '"net":"mlp","objective":"diffusion","step":' 1.json || fail "$(cat 1.json)"
"$few" plot 2.json 1.json --out e.svg --quiet || fail "no drawing of reports"
[ "$(titles e.svg)$(grep -c '<circle' e.svg)" = "energy 2" ] || fail "reports: $(titles e.svg)"
# From one evaluation to many the axis is logarithmic: 10 is half way from 1 to 100.
for n in 1 10 100; do sed "s|\"nfe\":[0-9]*|\"nfe\":$n|" 1.json >nfe$n.json; done
"$few" plot nfe1.json nfe10.json nfe100.json --out f.svg --quiet || fail "no drawing over nfe"
sed -n 's|.*<circle cx="\([^"]*\)".*|\1|p' f.svg | tr '\n' ' ' |
  awk '{ d = $1 + $3 - 2 * $2; exit !(NF == 3 && $3 > $1 && d < 0.1 && d > -0.1) }' ||
  fail "$(grep circle f.svg)"
refused() { # CODE WORD OPTION ...
  code=$1 word=$2
  shift 2
  "$few" plot "$@" >out 2>err
  [ $? = "$code" ] || fail "$*: code $?: $(cat err)"
  grep -q -e "$word" err || fail "$*: $(cat err)"
}
refused 2 'rsvg-convert -f png' "$data/run" --out x.png
refused 2 'ends in .svg' "$data/run" --out x
refused 2 'no record has the key los; there are loss, ' "$data/run" --keys los --out x.svg
refused 2 'over nfe' "$data/run" 1.json --out x.svg
refused 2 'only reports' 1.json "$data/run" --out x.svg
refused 2 'recipe.ini' "$data/record/y_evals.jsonl" --x images --out x.svg
refused 1 'no log.jsonl' "$data" --out x.svg
printf '{"step":1}\nx\n' >bad.jsonl
refused 1 'bad.jsonl line 2' bad.jsonl --out x.svg
[ -e x.svg ] && fail "a refused command wrote a file"
exit 0
