# Runs and reports in a table; metrics of another space have columns of their own.
data=$here/../record/data
cp -r "$data/run" run
cp "$data/record/y_report" a.json
cp "$data/record/y_evals.jsonl" other.jsonl
sed 's/"nfe":2/"nfe":1/; s/"value":1.5,"error":0.25/"value":0.5,"error":null/; s/"n":10,/"n":20,/
  s/"complete":false/"complete":true/; s/consistency/a,\\"b/' a.json >b.json
"$few" compare run a.json b.json --sort nfe
echo
"$few" compare a.json b.json --sort fd --descending
echo
"$few" compare a.json run other.jsonl --csv
echo
"$few" compare b.json run --json
few() {
  "$few" "$@" 2>&1
  echo "exit code $?"
}
few compare a.json --sort kid
few compare a.json --descending
few compare a.json --csv --json
few compare nowhere
