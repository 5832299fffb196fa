/* cache.h - keeps machine code for other processes: one file per program, in the folder FEW_CACHE,
 * or in `few` in the user's cache folder (XDG_CACHE_HOME, ~/.cache). FEW_CACHE= (empty) keeps none.
 * The cache is optional: if an entry is missing, cut short or has another key, the text is
 * compiled.
 */
#ifndef FEW_SRC_CUDA_CACHE_H
#define FEW_SRC_CUDA_CACHE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The number of bytes stored for this key; 0: none. They are copied to `to` if it is large enough.
 */
size_t few__cache_read(const char *key, size_t n_key, char *to, size_t room);
void few__cache_write(const char *key, size_t n_key, const char *bytes, size_t n);

#ifdef __cplusplus
}
#endif

#endif
