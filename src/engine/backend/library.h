/* library.h - is a file a whole shared library? */
#ifndef FEW_SRC_BACKEND_LIBRARY_H
#define FEW_SRC_BACKEND_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* Why the file at `path` may not be loaded, into why[size]; true: it may be tried. A file that
 * cannot be opened may be tried, for the loader's own sentence. */
bool few__library_is_whole(const char *path, char *why, size_t size);

#endif
