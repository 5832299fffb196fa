/* Any bytes give a valid orientation. */
#include "fuzz.h"
#include "io/exif.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const int o = few__exif_orientation(data, size);
  FUZZ_REQUIRE(o >= 1 && o <= 8);
  return 0;
}
