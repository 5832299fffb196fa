# A user's program by pkg-config; the installed program; and the C program of README.md, with a
# model that the installed program trains.
# shellcheck disable=SC2046,SC2086  # flags are words
"$@" "$here/user.c" -o user $(pkg-config --cflags --libs few) -Wl,-rpath,"$lib"
./user "$(pkg-config --modversion few)"
# A build that is not installed can be used by pkg-config. The installed package must not name its
# folder.
# shellcheck disable=SC2046
"$@" "$here/user.c" -o user $(PKG_CONFIG_PATH=$build pkg-config --cflags --libs few) \
  -Wl,-rpath,"$build"
./user "$(pkg-config --modversion few)"
if grep -r "$build" "$lib/pkgconfig" "$lib/cmake"; then exit 1; fi

[ -x "$prefix/bin/few" ] || exit 0
for page in man/man1/few.1 man/man1/few-sample.1 bash-completion/completions/few \
  zsh/site-functions/_few \
  fish/vendor_completions.d/few.fish; do
  test -s "$prefix/share/$page"
done
"$prefix/bin/few" train "$here/../cli/moons.ini" --run run --quiet steps=5
# a recipe that was installed, by its name
"$prefix/bin/few" train toy-teacher --run runs/toy --quiet steps=1 preview_every=0
"$prefix/bin/few" train toy-scd --run runs/scd --quiet steps=1 tangent_warmup=0 preview_every=0
# The features that come with few are found in the installation.
"$prefix/bin/few" train "$here/../cli/tiny-unet.ini" --run clothes --quiet data=fashion-mnist \
  data_limit=64 steps=1
"$prefix/bin/few" eval clothes/model.safetensors --ref fashion-mnist:test --n-ref 32 \
  --features fashion \
  --n 16 --steps 1 --metrics fd 2>/dev/null | grep '^fd '
"$prefix/bin/few" train fashion-sct --run clothes2 --quiet batch=8 data_limit=64 steps=1 \
  tangent_warmup=0 \
  preview_every=0 eval_every=1 eval_n=8 eval_steps=1 eval_ref=fashion-mnist:test
grep '"features":"fashion"' clothes2/log.jsonl
sed -n '/^```c$/,/^```$/p' "$source/README.md" | grep -v '^```' >readme.c
# shellcheck disable=SC2046
"$@" readme.c -o readme $(pkg-config --cflags --libs few) -Wl,-rpath,"$lib"
./readme run/model.safetensors
test -s images.png
if ./readme missing.safetensors 2>message; then exit 1; fi
grep missing.safetensors message
