#!/bin/sh
# The demonstration: scripts/demo.sh PROGRAM. It samples the models that come with few, then trains
# a teacher and a student. All files are written to demo/. If it was stopped, run it again to
# continue.
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
minutes=10 # time of the two recipes, on two cores
n=64

fail() {
  echo "demo: $*" >&2
  exit 1
}

# image MODEL STEPS FILE TITLE: writes a grid of images and prints a line with the time.
image() {
  report=$("$few" sample "$1" --n $n --steps "$2" --seed 1 --columns 8 --out "$3" --json) ||
    fail "no images from $1"
  seconds=$(echo "$report" | sed -n 's/.*"seconds": \([0-9.]*\).*/\1/p')
  nfe=$(echo "$report" | sed -n 's/.*"nfe": \([0-9]*\).*/\1/p')
  printf '  %-26s %8.2f s  %2d network evaluations  %s\n' "$4" "$seconds" "$nfe" "$3"
}

shipped() {
  echo "The models that come with few: $n images from each, with the same noise."
  echo "The student needs one step where its teacher needs many. This takes seconds."
  echo
  image "$student_model" 1 $out/student-1-step.png "student, 1 step"
  image "$student_model" 2 $out/student-2-steps.png "student, 2 steps"
  image "$teacher_model" $many $out/teacher-$many-steps.png "teacher, $many steps"
  echo
}

# train RECIPE RUN [KEY=VALUE ...]
train() {
  recipe=$1 run=$2
  shift 2
  code=0
  "$few" train "$recipe" --run "$run" "$@" || code=$?
  [ $code -ne 130 ] || { echo "demo: run make demo again to continue" >&2; exit 130; }
  [ $code -eq 0 ] || fail "training in $run failed; see the line above"
  echo
}

whole_way() {
  echo "Training a teacher and a student on this machine: at most $minutes minutes on two cores."
  echo "Ctrl-C stops it at any time; the same command continues."
  echo
  echo "1 of 4. The data: 60,000 images of clothes, 28 x 28, ten classes."
  "$few" data $data --out $out/data.png --n $n --columns 8 >$out/data.txt ||
    fail "no data set $data"
  echo "  Some of them are in $out/data.png, and their description is in $out/data.txt."
  echo
  echo "2 of 4. The teacher: it learns to remove noise. Its loss falls quickly, then slowly."
  train $teacher_recipe $out/teacher
  echo "3 of 4. The student: it learns to make in one step what the teacher makes in $many."
  train $student_recipe $out/student teacher=$out/teacher/model.safetensors
  echo "4 of 4. The results: $n images from each, with the same noise."
  echo
  image $out/student/model.safetensors 1 $out/own-student-1-step.png "your student, 1 step"
  image $out/student/model.safetensors 2 $out/own-student-2-steps.png "your student, 2 steps"
  image $out/teacher/model.safetensors $many $out/own-teacher-$many-steps.png \
    "your teacher, $many steps"
  echo
}

[ -x "$few" ] || fail "the program $few does not exist: run make build"
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
[ -n "$shown" ] || fail "neither $student_model nor $teacher_recipe exists: nothing to show"
echo "The images are in $out/. To start from the beginning: rm -r $out"
