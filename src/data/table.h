/* table.h - labels of image files in a table of comma-separated values. */
#ifndef FEW_SRC_DATA_TABLE_H
#define FEW_SRC_DATA_TABLE_H

#include "base/base.h"

struct few_table {
  struct few_table_row {
    char *file, *label; /* as in the table */
    int line;           /* where the row begins, from 1 */
    bool used;          /* for the reader: the file is in the set */
  } * at;               /* sorted by file, each once */
  int n, cap;
};

/* Parses CSV (RFC 4180; UTF-8, lines may end in LF). If the first line has a column called file,
 * file_name, filename, path, image, image_id, name or id, and one called label, class, class_name,
 * category or target, these are read. Otherwise there are two columns and no header. FEW_E_FORMAT,
 * with the line, for a row of another length, a broken quotation, an empty value or a file that is
 * listed twice. `place` names the table in messages. Free *out with few__table_free; it is zeroed
 * on failure. */
few_status few__table_parse(few_ctx *ctx, struct few_table *out, const char *place,
                            const char *text, size_t n);
void few__table_free(few_ctx *ctx, struct few_table *t);

/* The row of a file: of this path, or of the path without its ending. NULL: none. */
struct few_table_row *few__table_find(const struct few_table *t, const char *path);

#endif
