# A full disk is reported as an error.
"$few" help data >/dev/full
