"$few" version && "$few" --version && "$few" version --json
