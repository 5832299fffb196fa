# README.md: its code fits in 80 columns, its recipes train and its commands run. Training is one
# step.
readme="$here/../../README.md"
awk '/^```/ { code = !code }
     (code || /^    /) && length > 80 { print "too wide: " $0; bad = 1 } END { exit bad }' \
  "$readme" || exit 9
for name in teacher student; do
  sed -n "/^# $name.ini$/,/^\`\`\`/p" "$readme" | grep -v '^```' >$name.ini
  grep -q '^objective = ' $name.ini || exit 9
done
ln -s "$here/../../models" models
# The blocks of commands, where `few` is the program; a line that ends in \ continues.
sed -n '/^```sh$/,/^```$/p' "$readme" | grep -v '^```\|^make build$' |
  sed 's/^build.release.few /few /' >commands
[ "$(grep -c '^few ' commands)" -ge 10 ] || { echo "README.md has hardly any commands"; exit 9; }
few() {
  word=$1
  shift
  case $word in
    train) set -- "$@" steps=1 lr_warmup=0 preview_every=0 batch=8 ;;
    eval) set -- "$@" --n 16 --n-ref 16 --metrics fd ;;
  esac
  case "$word $1" in
    "train teacher.ini") set -- "$@" data_limit=40 ;;
    "train student.ini") set -- "$@" data_limit=40 tangent_warmup=0 ;;
    "train toy-scd") set -- "$@" tangent_warmup=0 ;;
  esac
  "$program" "$word" "$@" >out 2>err || { echo "few $word $*: $(cat err)"; exit 9; }
}
program=$few
. ./commands
