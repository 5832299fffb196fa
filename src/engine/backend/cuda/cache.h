/* cache.h - keeps machine code for other processes, one file per program.
 *
 * The files are in the folder that the environment variable FEW_CACHE names, or else in `few` in
 * the user's cache folder (XDG_CACHE_HOME, ~/.cache). If FEW_CACHE is empty, nothing is kept. The
 * cache may be deleted at any time: a program whose file is missing, truncated or of another key is
 * compiled again.
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
