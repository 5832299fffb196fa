/* The smallest user of the installed library: run.sh compiles it against what was installed. */
#include <few/base.h>
#include <stdio.h>

int main(void) {
  few_ctx *ctx = NULL;
  few_status st = few_ctx_create(&ctx, NULL);
  printf("%s, %d workers\n", few_status_name(st), st ? 0 : few_ctx_workers(ctx));
  few_ctx_free(ctx);
  return st ? 1 : 0;
}
