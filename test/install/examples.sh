# Every C program of examples/ compiles with the installed package. train_mlp.c is run.
# shellcheck shell=sh
# shellcheck disable=SC2046,SC2154  # flags are words; run.sh sets the variables
for example in "$source"/examples/*.c; do
  "$@" -std=c11 -Wall -Wextra -Werror "$example" -o "$(basename "$example" .c)" \
    $(pkg-config --cflags --libs few) -lm \
    -Wl,-rpath,"$lib"
done
./train_mlp
