/* json.h - prints JSON. Keys have the order of the calls; commas and quotes are added.
 *
 *   struct json j = {.out = stdout};
 *   json_open(&j, NULL, '{');
 *   json_int(&j, "n", 64);
 *   json_close(&j);
 *
 * The key is NULL for a value in an array or at the top. Names must differ from jansson's, or the
 * library's calls to jansson would reach these functions.
 */
#ifndef FEW_SRC_CLI_JSON_H
#define FEW_SRC_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_DEPTH = 8 };
struct json {
  FILE *out;
  int depth;
  struct {
    char close;
    bool some;
  } at[JSON_DEPTH];
};

void json_open(struct json *j, const char *key, char bracket);      /* '{' or '[' */
void json_close(struct json *j);                                    /* a newline after the last */
void json_text(struct json *j, const char *key, const char *value); /* NULL gives null */
void json_int(struct json *j, const char *key, int64_t value);
void json_seed(struct json *j, const char *key, uint64_t value);
void json_number(struct json *j, const char *key, double value); /* not finite gives null */
void json_bool(struct json *j, const char *key, bool value);

#endif
