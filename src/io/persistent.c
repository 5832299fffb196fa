/* persistent.c - reads a network that was pickled whole, with its classes.
 *
 * EDM and EDM2 save {"ema": network, ...} by pickle.dump. Their classes are decorated by
 * torch_utils.persistence (version 6), which makes an object
 *
 *   _reconstruct_persistent_obj({"type": "class", "version": 6, "module_src": SOURCE CODE,
 *                                "class_name": NAME, "state": ATTRIBUTES})
 *
 * Python runs the source code. few does not read it: it takes the name of the class, the arguments
 * that the object was made with (attributes _init_args, _init_kwargs), and the tensors. These are
 * in the attributes _parameters and _buffers of the network and of its parts, _modules. PyTorch's
 * own containers (torch.nn.modules.container.ModuleDict) have the same attributes.
 *
 * A tensor's storage is a file of torch.save within the pickle: a call of
 * torch.storage._load_from_bytes. pth.c reads it.
 *
 * Values may be shared, so that a small file can have a tree of any size. Depth, parts, tensors,
 * entries of a dictionary and the length of the JSON text are limited.
 */
#include "persistent.h"

#include <math.h>
#include <stdio.h>

#include "file.h"
#include "json.h"
#include "pth_inside.h"

enum { DEPTH_MAX = 16, PARTS_MAX = 1 << 14, TENSORS_MAX = 1 << 14, ENTRIES_MAX = 4096 };
enum { NAME_MAX_BYTES = 512, CONFIG_MAX = 1 << 16 };

static const char *const names[] = {
    "torch_utils.persistence\n_reconstruct_persistent_obj",
    "dnnlib.util\nEasyDict",
    "collections\nOrderedDict",
    "torch._utils\n_rebuild_tensor",
    "torch._utils\n_rebuild_tensor_v2",
    "torch._utils\n_rebuild_parameter",
    "torch.storage\n_load_from_bytes",
    "torch\nSize",
    "torch\ndevice",
    "torch.nn.modules.",
    "numpy\ndtype",
    "numpy\nndarray",
    "numpy.core.multiarray\nscalar",
    "numpy._core.multiarray\nscalar",
    "numpy.core.multiarray\n_reconstruct",
    "numpy._core.multiarray\n_reconstruct",
    "numpy.core.numeric\n_frombuffer",
    "numpy._core.numeric\n_frombuffer",
    "builtins\nset",
    "__builtin__\nset",
};
static const struct few_pickle_names persistent_names = {names, FEW_COUNT(names)};

struct reader {
  struct few_pth_parse p;
  struct few_text *config;
  int parts;
};

static few_status damaged(struct reader *r, const char *name, const char *what) {
  return few__fail(r->p.ctx, FEW_E_FORMAT, "%s: `%.100s`: %s: fetch or make the file again",
                   r->p.place, name, what);
}

static bool is(const struct few_pickle_value *v, enum few_pickle_kind kind) {
  return v && v->kind == kind;
}

/* The first cell of a dictionary; -1: it is empty, too large, or something else. */
static int first_entry(const struct few_pickle_value *v) {
  return is(v, FEW_PICKLE_DICT) && v->n <= ENTRIES_MAX ? v->first : -1;
}

static const struct few_pickle_value *entry(const struct reader *r,
                                            const struct few_pickle_value *v, const char *key) {
  return first_entry(v) < 0 ? NULL : few__pickle_entry(&r->p.pickle, v, key);
}

/* ---- Objects ---- */

static bool is_persistent(const struct few_pickle_value *v) {
  return is(v, FEW_PICKLE_CALL) &&
         few__pickle_text_is(v, "torch_utils.persistence\n_reconstruct_persistent_obj");
}

static const struct few_pickle_value *meta_of(struct reader *r, const struct few_pickle_value *v,
                                              const char *key) {
  return entry(r, few__pickle_item(&r->p.pickle, v, 0), key);
}

/* The attributes of an object; NULL: it is none. */
static const struct few_pickle_value *attributes(struct reader *r,
                                                 const struct few_pickle_value *v) {
  const struct few_pickle_value *state = NULL;
  if (is_persistent(v))
    state = meta_of(r, v, "state");
  else if (is(v, FEW_PICKLE_OBJECT) && v->state >= 0)
    state = &r->p.pickle.values.at[v->state];
  return is(state, FEW_PICKLE_DICT) ? state : NULL;
}

static few_status check_version(struct reader *r, const struct few_pickle_value *object) {
  const struct few_pickle_value *version = meta_of(r, object, "version");
  if (is(version, FEW_PICKLE_INT) && version->number == 6) return FEW_OK;
  return few__fail(r->p.ctx, FEW_E_UNSUPPORTED,
                   "%s: version %d of torch_utils.persistence; few reads 6, that of EDM and EDM2: "
                   "save the network with one of them",
                   r->p.place, is(version, FEW_PICKLE_INT) ? (int)version->number : -1);
}

/* ---- The configuration ---- */

static few_status put_value(struct reader *r, struct few_json *j, const char *key,
                            const struct few_pickle_value *v, int depth);

/* *out is a copy of a text with its end. */
static few_status text_of(struct reader *r, const struct few_pickle_value *v, char **out) {
  FEW_TRY(few__new(r->p.ctx, (void *)out, v->length + 1, 1));
  memcpy(*out, v->text, v->length);
  if (strlen(*out) == v->length && few__utf8_valid(*out)) return FEW_OK;
  few__free(r->p.ctx, *out);
  *out = NULL;
  return damaged(r, "", "a text in it is not UTF-8");
}

/* Members that are not texts, or that the reader adds itself, are left out. */
static few_status put_members(struct reader *r, struct few_json *j,
                              const struct few_pickle_value *dict, int depth) {
  const struct few_pickle *k = &r->p.pickle;
  few_status st = FEW_OK;
  for (int c = first_entry(dict); c >= 0 && !st; c = k->cells.at[c].next) {
    const struct few_pickle_value *key = &k->values.at[k->cells.at[c].key];
    if (!is(key, FEW_PICKLE_TEXT) || (key->length && key->text[0] == '_')) continue;
    char *name;
    FEW_TRY(text_of(r, key, &name));
    st = put_value(r, j, name, &k->values.at[k->cells.at[c].value], depth);
    few__free(r->p.ctx, name);
  }
  return st;
}

/* A numpy number: scalar(dtype("f8", ..), BYTES). Another call has no value here. */
static void put_scalar(struct reader *r, struct few_json *j, const char *key,
                       const struct few_pickle_value *call) {
  static const struct {
    const char *word;
    enum few_store store;
  } types[] = {{"f8", FEW_STORE_F64},
               {"f4", FEW_STORE_F32},
               {"i8", FEW_STORE_I64},
               {"i4", FEW_STORE_I32},
               {"b1", FEW_STORE_BOOL}};
  const struct few_pickle_value *type = few__pickle_item(&r->p.pickle, call, 0);
  const struct few_pickle_value *b = few__pickle_item(&r->p.pickle, call, 1);
  const struct few_pickle_value *word =
      is(type, FEW_PICKLE_CALL) ? few__pickle_item(&r->p.pickle, type, 0) : NULL;
  double x = NAN;
  for (int i = 0; i < FEW_COUNT(types) && is(word, FEW_PICKLE_TEXT); i++)
    if (is(b, FEW_PICKLE_BYTES) && few__pickle_text_is(word, types[i].word) &&
        b->length == few__store_size(types[i].store))
      few__store_to_f64(types[i].store, b->text, 1, &x);
  if (fabs(x) < 1e9 && floor(x) == x)
    few__json_put_int(j, key, (int64_t)x);
  else
    few__json_put_real_or_null(j, key, x);
}

static few_status put_items(struct reader *r, struct few_json *j, const char *key,
                            const struct few_pickle_value *v, int depth) {
  const struct few_pickle *k = &r->p.pickle;
  const bool dict = v->kind == FEW_PICKLE_DICT;
  few_status st = FEW_OK;
  if (depth == DEPTH_MAX) return damaged(r, key ? key : "", "its lists are too deep");
  few__json_open(j, key, dict ? '{' : '[');
  if (dict)
    st = put_members(r, j, v, depth + 1);
  else
    for (int c = v->first; c >= 0 && !st; c = k->cells.at[c].next)
      st = put_value(r, j, NULL, &k->values.at[k->cells.at[c].value], depth + 1);
  few__json_close(j);
  return st;
}

static few_status put_value(struct reader *r, struct few_json *j, const char *key,
                            const struct few_pickle_value *v, int depth) {
  char *text;
  if (r->config->len > CONFIG_MAX)
    return damaged(r, key ? key : "", "its arguments take over 64 kilobytes");
  switch (v->kind) {
    case FEW_PICKLE_BOOL:
      few__json_put_bool(j, key, v->number != 0);
      return FEW_OK;
    case FEW_PICKLE_INT:
      few__json_put_int(j, key, v->number);
      return FEW_OK;
    case FEW_PICKLE_REAL:
      few__json_put_real_or_null(j, key, few__pickle_real(v));
      return FEW_OK;
    case FEW_PICKLE_TUPLE:
    case FEW_PICKLE_LIST:
    case FEW_PICKLE_DICT:
      return put_items(r, j, key, v, depth);
    case FEW_PICKLE_CALL:
      put_scalar(r, j, key, v);
      return FEW_OK;
    case FEW_PICKLE_TEXT:
      FEW_TRY(text_of(r, v, &text));
      few__json_put_string(j, key, text);
      few__free(r->p.ctx, text);
      return FEW_OK;
    default:
      few__json_put_null(j, key);
      return FEW_OK;
  }
}

/* The arguments must have names: few does not know the order of others. */
static few_status put_object(struct reader *r, struct few_json *j, const char *key,
                             const struct few_pickle_value *object, bool parts) {
  const struct few_pickle *k = &r->p.pickle;
  const struct few_pickle_value *name = meta_of(r, object, "class_name"),
                                *state = attributes(r, object);
  const struct few_pickle_value *args = entry(r, state, "_init_args"),
                                *kwargs = entry(r, state, "_init_kwargs");
  char *class_name;
  if (!is(name, FEW_PICKLE_TEXT) || !state)
    return damaged(r, key ? key : "", "it is an object without a class or attributes");
  FEW_TRY(text_of(r, name, &class_name));
  few__json_open(j, key, '{');
  few__json_put_string(j, "_class_name", class_name);
  few__free(r->p.ctx, class_name);
  if (!is(args, FEW_PICKLE_TUPLE) || args->n || !is(kwargs, FEW_PICKLE_DICT))
    few__json_put_bool(j, "arguments without names", true);
  FEW_TRY(put_members(r, j, kwargs, 0));
  if (parts) {
    const struct few_pickle_value *modules = entry(r, state, "_modules");
    few__json_open(j, "_modules", '{');
    for (int c = first_entry(modules); c >= 0; c = k->cells.at[c].next) {
      const struct few_pickle_value *part = &k->values.at[k->cells.at[c].value];
      const struct few_pickle_value *word = &k->values.at[k->cells.at[c].key];
      char *text;
      if (!is_persistent(part) || !is(word, FEW_PICKLE_TEXT)) continue;
      FEW_TRY(text_of(r, word, &text));
      few_status st = put_object(r, j, text, part, false);
      few__free(r->p.ctx, text);
      FEW_TRY(st);
    }
    few__json_close(j);
  }
  few__json_close(j);
  return FEW_OK;
}

/* ---- Tensors ---- */

/* PREFIX NAME; false: too long. */
static bool join(char out[NAME_MAX_BYTES], const char *prefix, const struct few_pickle_value *name,
                 const char *end) {
  if (!is(name, FEW_PICKLE_TEXT) || name->length > NAME_MAX_BYTES / 4) return false;
  const int n =
      snprintf(out, NAME_MAX_BYTES, "%s%.*s%s", prefix, (int)name->length, name->text, end);
  return n < NAME_MAX_BYTES && strlen(out) == (size_t)n;
}

/* The tensors of a dictionary: parameters or buffers, some of which may be None. */
static few_status add_dictionary(struct reader *r, const char *prefix,
                                 const struct few_pickle_value *dict) {
  const struct few_pickle *k = &r->p.pickle;
  char name[NAME_MAX_BYTES];
  for (int c = first_entry(dict); c >= 0; c = k->cells.at[c].next) {
    const struct few_pickle_value *v = &k->values.at[k->cells.at[c].value];
    if (v->kind == FEW_PICKLE_NONE) continue;
    if (r->p.out->n == TENSORS_MAX) return damaged(r, prefix, "there are more than 16384 tensors");
    if (!join(name, prefix, &k->values.at[k->cells.at[c].key], "") || !few__pth_is_tensor(v))
      return damaged(r, prefix, "a parameter in it is not a tensor with a name");
    FEW_TRY(few__pth_add_tensor(&r->p, name, strlen(name), v, true));
  }
  return FEW_OK;
}

static few_status add_module(struct reader *r, const char *prefix,
                             const struct few_pickle_value *module, int depth) {
  const struct few_pickle *k = &r->p.pickle;
  const struct few_pickle_value *state = attributes(r, module);
  char name[NAME_MAX_BYTES];
  if (!state) return damaged(r, prefix, "it is not a part of a network");
  if (depth == DEPTH_MAX || r->parts++ == PARTS_MAX)
    return damaged(r, prefix, "the network has too many parts, or one within itself");
  FEW_TRY(add_dictionary(r, prefix, entry(r, state, "_parameters")));
  FEW_TRY(add_dictionary(r, prefix, entry(r, state, "_buffers")));
  const struct few_pickle_value *parts = entry(r, state, "_modules");
  for (int c = first_entry(parts); c >= 0; c = k->cells.at[c].next) {
    const struct few_pickle_value *part = &k->values.at[k->cells.at[c].value];
    if (part->kind == FEW_PICKLE_NONE) continue;
    if (!join(name, prefix, &k->values.at[k->cells.at[c].key], "."))
      return damaged(r, prefix, "the name of a part of it is too long");
    FEW_TRY(add_module(r, name, part, depth + 1));
  }
  return FEW_OK;
}

/* ---- The file ---- */

/* The averaged weights if there are such, which are those for sampling. */
static few_status find_network(struct reader *r, const struct few_pickle_value **out) {
  static const char *const keys[] = {"ema", "net", "model"};
  const struct few_pickle_value *root = &r->p.pickle.values.at[r->p.pickle.root];
  *out = is_persistent(root) ? root : NULL;
  for (int i = 0; i < FEW_COUNT(keys) && !*out; i++) {
    const struct few_pickle_value *v = entry(r, root, keys[i]);
    if (is_persistent(v)) *out = v;
  }
  if (*out) return check_version(r, *out);
  return few__fail(r->p.ctx, FEW_E_UNSUPPORTED,
                   "%s: this pickle has no network `ema` (nor `net` or `model`) as EDM and EDM2 "
                   "save it: save only weights, torch.save(model.state_dict(), FILE)",
                   r->p.place);
}

static few_status read(struct reader *r) {
  const struct few_pickle_value *network;
  size_t used;
  FEW_TRY(FEW_NEW(r->p.ctx, &r->p.out->hold, 1));
  FEW_TRY(few__pickle_parse(r->p.ctx, &r->p.pickle, r->p.place, &persistent_names, r->p.bytes,
                            r->p.n, &used));
  FEW_TRY(find_network(r, &network));
  struct few_json j = few__json_begin(r->p.ctx, r->config);
  FEW_TRY(put_object(r, &j, NULL, network, true));
  FEW_TRY(few__json_end(&j, r->p.place));
  return add_module(r, "", network, 0);
}

bool few__persistent_is(const void *bytes, size_t n) {
  static const char magic[] = {'\x80', '\x02', '\x8a', '\x0a'}; /* of torch.save's old format */
  const unsigned char *b = bytes;
  return few__pth_is(bytes, n) && b[0] == 0x80 && memcmp(bytes, magic, sizeof magic) != 0;
}

few_status few__persistent_parse(few_ctx *ctx, struct few_pth *tensors, struct few_text *config,
                                 const char *place, const void *bytes, size_t n) {
  struct reader r = {.p = {.ctx = ctx, .place = place, .bytes = bytes, .n = n, .out = tensors},
                     .config = config};
  *tensors = (struct few_pth){0};
  *config = (struct few_text){0};
  few_status st = read(&r);
  few__pth_parse_end(&r.p);
  if (!st) return FEW_OK;
  few__pth_free(ctx, tensors);
  few__text_free(ctx, config);
  return st;
}

few_status few__persistent_read(few_ctx *ctx, struct few_pth *tensors, struct few_text *config,
                                const char *path, size_t max_bytes) {
  char *bytes;
  size_t n;
  *tensors = (struct few_pth){0};
  *config = (struct few_text){0};
  FEW_TRY(few__file_read(ctx, &bytes, &n, path, max_bytes));
  const few_status st = few__persistent_parse(ctx, tensors, config, path, bytes, n);
  few__free(ctx, bytes);
  return st;
}
