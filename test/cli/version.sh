# The processor's part is cut off.
{ "$few" version && "$few" --version && "$few" version --json; } |
  sed -E 's/(kernels"?: "?)(base|avx2|avx512|avx512bf16|amx)\b/\1ISA/'
