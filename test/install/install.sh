# Installs few into a scratch folder, for the other tests in this folder.
rm -rf "$prefix"
cmake --install "$build" --prefix "$prefix" >/dev/null
