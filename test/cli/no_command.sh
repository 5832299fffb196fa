# Without a command: what there is, on stderr, and the code of a usage error.
"$few"
