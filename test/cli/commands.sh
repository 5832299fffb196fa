# docs/commands.md agrees with the option tables; manual pages and completion are made from them
# too.
exec >&2 # run.sh prints stderr when a test fails
docs="$here/../../docs/commands.md"
"$few" help --format markdown >commands.md || exit 9
cmp commands.md "$docs" || { echo "docs/commands.md is not current: run make docs"; exit 9; }
names=$("$few" help | sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p')
for name in $names; do
  grep -q "^## few $name$" "$docs" || { echo "no $name in docs/commands.md"; exit 9; }
done
grep -q '^| `--steps K` | `0` | ' "$docs" && grep -q '^| `lr_warmup` | `0` | ' "$docs" || exit 9

"$here/../../scripts/pages.sh" "$few" pages || exit 9
for name in $names; do
  [ -s pages/man1/few-$name.1 ] || { echo "no manual page of $name"; exit 9; }
done
grep -q '^.BR few\\-search (1)$' pages/man1/few.1 || exit 9
if command -v groff >/dev/null; then
  for page in pages/man1/*.1; do
    groff -man -Tascii -ww "$page" >out 2>warnings || exit 9
    [ ! -s warnings ] || { echo "$page: $(head -3 warnings)"; exit 9; }
  done
fi

# Completions after some words.
PATH=$(dirname "$few"):$PATH
export PATH
cat >complete <<'END'
source pages/bash/few
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_few
echo "${COMPREPLY[@]}"
END
offers() {
  wanted=$1
  shift
  found=$(bash complete "$@") || exit 9
  [ "$found" = "$wanted" ] || { echo "$*: offers \"$found\", not \"$wanted\""; exit 9; }
}
offers "sample search show" few s
offers "--steps" few sample --st
offers "heun" few sample --sampler he
offers "refuse replace" few sample --existing re
offers "shares even" few times --labels ""
offers "samplers schedules" few list s
offers "toy-scd-segments" few train toy-scd-s
offers "" few sample --out ""

# Completions of zsh: compadd prints the words, and _files means that files are completed too.
cat >complete.zsh <<'END'
compdef() { :; }
compadd() { shift; offered+=("$@"); }
_files() { offered+=(FILES); }
offered=()
source pages/zsh/_few
words=("$@") CURRENT=$#
_few
print -r -- "$offered"
END
cat >complete.fish <<'END'
source pages/fish/few.fish
complete -C "$argv" | string replace -r '\t.*' '' | string join ' '
true
END
offers_in() {
  shell=$1 wanted=$2
  shift 2
  command -v $shell >/dev/null || return 0
  case $shell in
    zsh) found=$(zsh -f complete.zsh "$@") || exit 9 ;;
    fish) found=$(HOME=$PWD fish --no-config complete.fish "$*") || exit 9 ;;
  esac
  [ "$found" = "$wanted" ] || { echo "$shell: $*: offers \"$found\", not \"$wanted\""; exit 9; }
}
offers_in zsh "shares even" few times --labels ""
offers_in zsh "list" few backend ""
offers_in zsh "FILES" few sample --out ""
offers_in zsh "--json --help" few version -
offers_in fish "sample search show" few s
offers_in fish "heun" few sample --sampler he
offers_in fish "even shares" few times --labels ""
offers_in fish "list" few backend ""
offers_in fish "toy-scd-segments" few train toy-scd-s
offers_in fish "" few version ""
exit 0
