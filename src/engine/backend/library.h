/* library.h - is a file a whole shared library? */
#ifndef FEW_SRC_BACKEND_LIBRARY_H
#define FEW_SRC_BACKEND_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* True if the loader may try the file at `path`; else why[size] is the reason. A file that cannot be
 * opened may be tried too: the loader has a sentence for that. */
bool few__library_is_whole(const char *path, char *why, size_t size);

#endif
