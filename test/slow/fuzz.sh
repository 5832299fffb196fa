# Run when: a reader of files changed (src/io, src/data, src/model) or fuzz/.
#
# Runs every fuzz target under libFuzzer with the sanitizers, starting from the corpus in test/, for
# a minute each (FUZZ_SECONDS). An input that causes a failure is left beside the build as crash-*.
# Commit it to the corpus with the fix.
: "${FUZZ_SECONDS:=60}"
build=$source/build/fuzz
cmake -S "$source" -B "$build" -G Ninja -DFEW_CUDA=OFF -DFEW_LIBFUZZER=ON -DCMAKE_C_COMPILER=clang \
  -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG='-O1 -g' \
  -DCMAKE_C_FLAGS='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' >/dev/null
cmake --build "$build" --target fuzzers
failed=
shopt -s nullglob # corpora are at two depths
for target in "$source"/fuzz/fuzz_*.c; do
  name=$(basename "$target" .c) name=${name#fuzz_}
  mkdir "$name"
  "$build/fuzz/fuzz_$name" -max_total_time="$FUZZ_SECONDS" -timeout=20 -rss_limit_mb=4096 \
    -artifact_prefix="$build/" "$name" "$source"/test/{*,*/*}/data/"$name" >"$name.log" 2>&1 ||
    { tail -n 40 "$name.log"; failed="$failed $name"; }
  echo "$name: $(grep -c . "$name.log") lines, $(sed -n 's/^Done \(.*\)/\1/p' "$name.log")"
done
[ -z "$failed" ] || { echo "fuzz: failed:$failed; inputs in $build"; exit 1; }
