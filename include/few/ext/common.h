/* few/ext/common.h - calls for all components of your own.
 *
 * The headers of few/ext/ are for components from outside the library: objectives, networks,
 * samplers, readers and metrics. Each is a definition, a struct that begins with its version and
 * its name, and is added to a context: few_ctx_add_metric(ctx, &def). From then on this context
 * finds it by name, like a built-in component.
 *
 * These headers are less stable than those of few/ itself. They show more of the
 * library's inner workings and may change with every release. A definition of another version is
 * refused.
 *
 * The context keeps the pointer: a definition, with all texts and tables that it names, must
 * outlive the context. Its functions are called from the thread of the call on the context, except
 * where a header says otherwise, and must be safe to call for several contexts at a time.
 */
#ifndef FEW_EXT_COMMON_H
#define FEW_EXT_COMMON_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Records the message of a failure, few_error(ctx), and returns `status`. The message states the
 * problem and ends with what to try. */
FEW_PRINTF(3, 4)
FEW_API few_status few_ctx_fail(few_ctx *ctx, few_status status, const char *fmt, ...);

/* A line for the log of the context. */
FEW_PRINTF(3, 4)
FEW_API void few_ctx_log(few_ctx *ctx, few_log_level level, const char *fmt, ...);

/* Memory from the allocator of the context, aligned to 64 bytes. NULL: out of memory. The message
 * is then recorded; return FEW_E_MEMORY. */
FEW_API void *few_ctx_alloc(few_ctx *ctx, size_t bytes);
FEW_API void few_ctx_release(few_ctx *ctx, void *ptr); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
