# A full disk is an error, not silence.
"$few" help data >/dev/full
