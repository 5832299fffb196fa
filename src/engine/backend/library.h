/* library.h - checks that a file is a complete shared library. */
#ifndef FEW_SRC_BACKEND_LIBRARY_H
#define FEW_SRC_BACKEND_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* True if the loader may try the file at `path`; else why[size] is the reason. Also true for a file
 * that cannot be opened, since the loader reports that. */
bool few__library_is_whole(const char *path, char *why, size_t size);

#endif
