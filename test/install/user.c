/* The smallest user of the library: user VERSION, the version that the package says it has. */
#include <few.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  few_ctx *ctx = NULL;
  few_status st = few_ctx_create(&ctx, NULL);
  printf("few %s: %s, %d workers\n", few_version(), few_status_name(st),
         st ? 0 : few_ctx_workers(ctx));
  few_ctx_free(ctx);
  if (few_version_number() != FEW_VERSION) return 2;
  if (argc > 1 && strcmp(argv[1], few_version()) != 0) return 3;
  return st ? 1 : 0;
}
