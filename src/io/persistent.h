/* persistent.h - networks that were pickled whole with torch_utils.persistence, as those of EDM and
 * EDM2 are (network-snapshot-*.pkl). Nothing in the file is executed. */
#ifndef FEW_SRC_IO_PERSISTENT_H
#define FEW_SRC_IO_PERSISTENT_H

#include "pth.h"

/* True if the bytes look like a plain pickle, and not like a file of torch.save. */
bool few__persistent_is(const void *bytes, size_t n);

/* *tensors: the parameters and buffers, named by their path in the network
 * ("model.out_conv.weight").
 * *config: a JSON object of the arguments that the network was made with, and
 *
 *   "_class_name"   the name of its class
 *   "_modules"      the same of its parts: {"model": {"_class_name": .., ..}}
 *
 * A value that JSON cannot hold is null. Both are empty on failure, and yours otherwise:
 * few__pth_free, few__text_free. `place` names the file in messages. The bytes are not needed
 * afterwards. */
few_status few__persistent_parse(few_ctx *ctx, struct few_pth *tensors, struct few_text *config,
                                 const char *place, const void *bytes, size_t n);
few_status few__persistent_read(few_ctx *ctx, struct few_pth *tensors, struct few_text *config,
                                const char *path, size_t max_bytes);

#endif
