# Install few into a scratch folder, for the other tests here.
rm -rf "$prefix"
cmake --install "$build" --prefix "$prefix" >/dev/null
