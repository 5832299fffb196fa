# The part that depends on the processor is removed.
{ "$few" version && "$few" --version && "$few" version --json; } |
  sed -E 's/(kernels"?: "?)(base|avx2|avx512|avx512bf16|amx)\b/\1ISA/'
