# The recipes that README.md shows: the teacher's first step, and its student's.
for name in teacher student; do
  sed -n "/^# $name.ini$/,/^\`\`\`/p" "$here/../../README.md" | grep -v '^```' >$name.ini
  grep -q '^objective = ' $name.ini || exit 9
done
small="--quiet steps=1 batch=8 data_limit=40 preview_every=0"
"$few" train teacher.ini --run runs/teacher $small lr_warmup=0 || exit 9
"$few" train student.ini --run runs/student $small lr_warmup=0 tangent_warmup=0 || exit 9
