# help, --help and -h print the same text on stdout. Every command has its own help, with all its
# options.
"$few" help >a && "$few" --help >b && "$few" -h >c && cmp a b && cmp a c || exit 9
# The overview lists all commands.
commands=$(sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p' a)
for command in $commands; do
  "$few" help "$command" >a && "$few" "$command" --help >b && "$few" "$command" x -h >c &&
    cmp a b && cmp a c || exit 9
  grep -q "^Usage: few $command" a || { echo "help of $command has no usage"; exit 9; }
  # Every option that the source has is in the help, with a text.
  sed -n 's/.*OPT_[A-Z]*(S, [a-z._]*, "\([a-z-]*\)".*/\1/p' \
    "$here/../../src/cli/cmd_$command.c" >names
  for name in $(cat names); do
    grep -Eq "^  --$name( [^ ]+)?( +[^ ]|\$)" a || { echo "$command: no --$name in help"; exit 9; }
  done
  awk -v c="$command" 'length > 88 { print c ": too wide: " $0; bad = 1 } END { exit bad }' a ||
    exit 9
  echo "$command"
done
