#!/bin/sh
# The demonstration: scripts/demo.sh PROGRAM. First images from the models that come with few,
# then the whole way from data to a student. Everything lands in demo/; run again, it goes on where
# it stopped.
set -eu
cd "$(dirname "$0")/.."

few=${1:-build/release/few}
out=demo
teacher_model=models/fashion-teacher.safetensors
student_model=models/fashion-student.safetensors
teacher_recipe=recipes/fashion-teacher-demo.ini
student_recipe=recipes/fashion-student-demo.ini
data=fashion-mnist
many=18    # steps of the teacher
minutes=10 # that the two recipes are cut for, on two cores
n=64

fail() {
  echo "demo: $*" >&2
  exit 1
}

# image MODEL STEPS FILE TITLE: a grid, and one line with the time it took.
image() {
  told=$("$few" sample "$1" --n $n --steps "$2" --seed 1 --columns 8 --out "$3" --json) ||
    fail "no images from $1"
  seconds=$(echo "$told" | sed -n 's/.*"seconds": \([0-9.]*\).*/\1/p')
  nfe=$(echo "$told" | sed -n 's/.*"nfe": \([0-9]*\).*/\1/p')
  printf '  %-26s %8.2f s  network run %2d x  %s\n' "$4" "$seconds" "$nfe" "$3"
}

shipped() {
  echo "From the models that come with few: $n images each, from the same noise."
  echo "The student needs one step where its teacher needs many. Some seconds each."
  echo
  image "$student_model" 1 $out/student-1-step.png "student, 1 step"
  image "$student_model" 2 $out/student-2-steps.png "student, 2 steps"
  image "$teacher_model" $many $out/teacher-$many-steps.png "its teacher, $many steps"
  echo
}

# train RECIPE RUN [KEY=VALUE ...]
train() {
  recipe=$1 run=$2
  shift 2
  code=0
  "$few" train "$recipe" --run "$run" "$@" || code=$?
  [ $code -ne 130 ] || { echo "demo: make demo goes on from here" >&2; exit 130; }
  [ $code -eq 0 ] || fail "no model in $run; the line above tells why"
  echo
}

whole_way() {
  echo "The whole way, on real data and on this machine: at most $minutes minutes on two cores."
  echo "Stop it with Ctrl-C when you like; the same command goes on."
  echo
  echo "1 of 4. The data: 60,000 images of clothes, 28 x 28, ten classes."
  "$few" data $data --out $out/data.png --n $n --columns 8 >$out/data.txt || fail "no data set $data"
  echo "  $out/data.png, and what they are in $out/data.txt"
  echo
  echo "2 of 4. A teacher: a network learns to take noise away. Its loss falls quickly, then slowly."
  train $teacher_recipe $out/teacher
  echo "3 of 4. A student: learns to make in one step what the teacher makes in $many."
  train $student_recipe $out/student teacher=$out/teacher/model.safetensors
  echo "4 of 4. What these minutes gave: $n images each, from the same noise."
  echo
  image $out/student/model.safetensors 1 $out/own-student-1-step.png "your student, 1 step"
  image $out/student/model.safetensors 2 $out/own-student-2-steps.png "your student, 2 steps"
  image $out/teacher/model.safetensors $many $out/own-teacher-$many-steps.png \
    "your teacher, $many steps"
  echo
}

[ -x "$few" ] || fail "there is no program $few: run make build"
mkdir -p $out
shown=
if [ -f $teacher_model ] && [ -f $student_model ]; then
  shipped
  shown=yes
fi
if [ -f $teacher_recipe ] && [ -f $student_recipe ]; then
  whole_way
  shown=yes
fi
[ -n "$shown" ] || fail "neither $student_model nor $teacher_recipe is here: nothing to show"
echo "The images are in $out/. To start afresh: rm -r $out"
