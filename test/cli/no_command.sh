# Without a command: the overview on stderr, and the exit code of a usage error.
"$few"
