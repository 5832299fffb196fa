/* pth.c - reads a state dict as torch.save writes it.
 *
 * Since PyTorch 1.6 the file is a zip archive, whose members are not compressed:
 *
 *   NAME/data.pkl     a pickle: {"conv.weight": tensor, ...}
 *   NAME/data/KEY     the numbers of a storage, little-endian
 *   NAME/byteorder    "little", in newer files
 *
 * Before 1.6 it was a sequence of pickles: a magic number, a protocol number, the sizes of C's
 * types, the same dictionary, and the list of keys. Then follow the storages in the order of that
 * list, each with a 64-bit count before its numbers. The weights of FID (pt_inception-2015-12-05)
 * are such a file. The format before 0.1.10, a tar archive, is refused.
 *
 * In the pickle a tensor is a call of torch._utils._rebuild_tensor_v2(storage, offset, shape,
 * strides, ...). A storage is a persistent id ("storage", torch.FloatStorage, KEY, device, count).
 * pickle.c reads the pickle and executes nothing.
 *
 * Limits against hostile files: the members that are read may not be larger in total than the
 * archive, because members of a larger total must overlap. There may be at most 16,384 storages.
 */
#include <stdio.h>

#include "feed.h"
#include "pth_inside.h"

enum { NAME_MAX_BYTES = 512, SHARED = 8, STORAGES_MAX = 1 << 14 };
static const char legacy_magic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

static few_status bad(struct few_pth_parse *p, const char *name, const char *what) {
  return few__fail(p->ctx, FEW_E_FORMAT,
                   "%s: %s%.100s%s%s: the file is damaged: fetch or make it again", p->place,
                   *name ? "tensor `" : "", name, *name ? "`: " : "", what);
}

static few_status own(struct few_pth_parse *p, void *block) {
  struct few_pth_hold *h = p->out->hold;
  assert(h);
  few_status st = block ? FEW_GROW(p->ctx, &h->owned, h->owned.n + 1)
                        : few__fail(p->ctx, FEW_E_MEMORY, "%s: out of memory", p->place);
  if (st) {
    few__free(p->ctx, block);
    return st;
  }
  h->owned.at[h->owned.n++] = block;
  return FEW_OK;
}

/* ---- the archive ---- */

static few_status zip_failed(struct few_pth_parse *p, const char *member, const char *what) {
  return few__fail(p->ctx, FEW_E_FORMAT, "%s: %.200s: %s: fetch or make the file again", p->place,
                   member, what);
}

/* Reads a member of the archive. A compressed or encrypted member is an error. The caller owns
 * *out. */
static few_status read_member(struct few_pth_parse *p, const char *name, char **out, size_t *size) {
  zip_stat_t s;
  if (zip_stat(p->zip, name, 0, &s)) return zip_failed(p, name, "the archive has no such member");
  const zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if ((s.valid & need) != need || s.comp_method != ZIP_CM_STORE ||
      s.encryption_method != ZIP_EM_NONE || s.size > p->n)
    return zip_failed(p, name, "the member is compressed or encrypted, unlike those of torch.save");
  if (s.size > p->n - p->read)
    return zip_failed(p, name, "members overlap: together they are longer than the file");
  p->read += (size_t)s.size;
  zip_file_t *f = zip_fopen(p->zip, name, 0);
  if (!f) return zip_failed(p, name, "the archive is damaged");
  few_status st = few__new(p->ctx, out, s.size ? (size_t)s.size : 1, 1);
  if (!st && zip_fread(f, *out, s.size) != (zip_int64_t)s.size) {
    few__free(p->ctx, *out);
    *out = NULL;
    st = zip_failed(p, name, "the member is cut short");
  }
  zip_fclose(f);
  *size = (size_t)s.size;
  return st;
}

static few_status find_folder(struct few_pth_parse *p) {
  static const char tail[] = "/data.pkl";
  zip_int64_t n = zip_get_num_entries(p->zip, 0);
  for (zip_int64_t i = 0; i < n; i++) {
    const char *name = zip_get_name(p->zip, (zip_uint64_t)i, 0);
    size_t length = name ? strlen(name) : 0;
    if (length < sizeof tail || length - sizeof tail + 1 >= FEW_PTH_FOLDER_MAX) continue;
    if (strcmp(name + length - sizeof tail + 1, tail) != 0) continue;
    memcpy(p->folder, name, length - sizeof tail + 1);
    return FEW_OK;
  }
  return few__fail(p->ctx, FEW_E_FORMAT,
                   "%s: a zip archive without data.pkl: torch.save did not write it", p->place);
}

static few_status check_order(struct few_pth_parse *p) {
  char name[NAME_MAX_BYTES], *order;
  size_t n;
  snprintf(name, sizeof name, "%s/byteorder", p->folder);
  if (zip_name_locate(p->zip, name, 0) < 0) return FEW_OK;
  FEW_TRY(read_member(p, name, &order, &n));
  bool little = n == 6 && !memcmp(order, "little", 6);
  few__free(p->ctx, order);
  return little ? FEW_OK
                : few__fail(p->ctx, FEW_E_UNSUPPORTED,
                            "%s: numbers are big-endian: save the file on a little-endian machine",
                            p->place);
}

static zip_t *open_archive(struct few_pth_parse *p, zip_error_t *error) {
  zip_source_t *source = p->bytes ? zip_source_buffer_create(p->bytes, p->n, 0, error)
                                  : zip_source_file_create(p->place, 0, -1, error);
  zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY, error) : NULL;
  if (!zip && source) zip_source_free(source);
  return zip;
}

static few_status open_zip(struct few_pth_parse *p) {
  zip_error_t error;
  char name[NAME_MAX_BYTES];
  size_t n, used;
  zip_error_init(&error);
  p->zip = open_archive(p, &error);
  few_status st =
      p->zip ? FEW_OK
             : few__fail(p->ctx, FEW_E_FORMAT, "%s: a broken zip archive (%s): fetch it again",
                         p->place, zip_error_strerror(&error));
  zip_error_fini(&error);
  FEW_TRY(st);
  FEW_TRY(find_folder(p));
  FEW_TRY(check_order(p));
  snprintf(name, sizeof name, "%s/data.pkl", p->folder);
  FEW_TRY(read_member(p, name, &p->data_pkl, &n));
  return few__pickle_parse(p->ctx, &p->pickle, p->place, &few__pickle_state_dict, p->data_pkl, n,
                           &used);
}

/* ---- the legacy format ---- */

static bool is_legacy(const char *bytes, size_t n) {
  return n >= sizeof legacy_magic && !memcmp(bytes, legacy_magic, sizeof legacy_magic - 1);
}

/* Reads the numbers of the storages in the order of the list of keys, from byte `at` on. */
static few_status read_legacy_storages(struct few_pth_parse *p, const struct few_pickle *keys,
                                       size_t at) {
  const struct few_pickle_value *list = &keys->values.at[keys->root];
  if (list->kind != FEW_PICKLE_LIST) return bad(p, "", "the list of storages is not a list");
  for (int c = list->first; c >= 0; c = keys->cells.at[c].next) {
    const struct few_pickle_value *key = &keys->values.at[keys->cells.at[c].value];
    struct few_pth_storage *s = NULL;
    int64_t count;
    for (int i = 0; i < p->storages.n && !s && key->kind == FEW_PICKLE_TEXT; i++)
      if (p->storages.at[i].key_length == key->length &&
          !memcmp(p->storages.at[i].key, key->text, key->length))
        s = &p->storages.at[i];
    if (!s || s->data) return bad(p, "", "no tensor uses one of the storages");
    if (p->n - at < sizeof count) return bad(p, "", "the file is cut short");
    memcpy(&count, p->bytes + at, sizeof count);
    at += sizeof count;
    const size_t size = few__store_size(s->store);
    if (count != s->count || (uint64_t)count > (p->n - at) / size)
      return bad(p, "", "a storage has fewer bytes than its count needs");
    s->data = few__alloc(p->ctx, (size_t)count * size + 1);
    FEW_TRY(own(p, s->data));
    memcpy(s->data, p->bytes + at, (size_t)count * size);
    at += (size_t)count * size;
  }
  return FEW_OK;
}

/* Reads the magic number, protocol, sizes, and p->pickle. *at is where the list of keys begins. */
static few_status open_legacy(struct few_pth_parse *p, size_t *at) {
  const struct few_pickle_names *names = &few__pickle_state_dict;
  struct few_pickle skipped;
  size_t used;
  *at = sizeof legacy_magic - 1;
  for (int i = 0; i < 2; i++) {
    FEW_TRY(
        few__pickle_parse(p->ctx, &skipped, p->place, names, p->bytes + *at, p->n - *at, &used));
    few__pickle_free(p->ctx, &skipped);
    *at += used;
  }
  FEW_TRY(
      few__pickle_parse(p->ctx, &p->pickle, p->place, names, p->bytes + *at, p->n - *at, &used));
  *at += used;
  return FEW_OK;
}

/* ---- storages ---- */

static bool store_of(const struct few_pickle_value *name, enum few_store *out) {
  static const struct {
    const char *name;
    enum few_store store;
  } types[] = {{"torch\nFloatStorage", FEW_STORE_F32},     {"torch\nHalfStorage", FEW_STORE_F16},
               {"torch\nBFloat16Storage", FEW_STORE_BF16}, {"torch\nDoubleStorage", FEW_STORE_F64},
               {"torch\nLongStorage", FEW_STORE_I64},      {"torch\nIntStorage", FEW_STORE_I32},
               {"torch\nShortStorage", FEW_STORE_I16},     {"torch\nCharStorage", FEW_STORE_I8},
               {"torch\nByteStorage", FEW_STORE_U8},       {"torch\nBoolStorage", FEW_STORE_BOOL}};
  for (int i = 0; i < FEW_COUNT(types); i++) {
    *out = types[i].store;
    if (few__pickle_text_is(name, types[i].name)) return true;
  }
  return false;
}

static bool is(const struct few_pickle_value *v, enum few_pickle_kind kind) {
  return v && v->kind == kind;
}

static few_status load_member(struct few_pth_parse *p, struct few_pth_storage *s) {
  char name[NAME_MAX_BYTES];
  size_t n;
  if (s->key_length > NAME_MAX_BYTES / 4) return bad(p, "", "a key is too long");
  snprintf(name, sizeof name, "%s/data/%.*s", p->folder, (int)s->key_length, s->key);
  FEW_TRY(read_member(p, name, &s->data, &n));
  FEW_TRY(own(p, s->data));
  if ((uint64_t)s->count != n / few__store_size(s->store) || n % few__store_size(s->store))
    return zip_failed(p, name, "the storage does not have the bytes that its count needs");
  return FEW_OK;
}

static few_status add_storage(struct few_pth_parse *p, const char *name,
                              const struct few_pth_storage *s) {
  if (p->storages.n == STORAGES_MAX) return bad(p, name, "there are more than 16384 storages");
  FEW_TRY(FEW_GROW(p->ctx, &p->storages, p->storages.n + 1));
  p->storages.at[p->storages.n++] = *s;
  return FEW_OK;
}

/* The index of the storage that a persistent id names. It is added when first seen. */
static few_status stored_storage(struct few_pth_parse *p, const char *name,
                                 const struct few_pickle_value *v, int *out) {
  const struct few_pickle *k = &p->pickle;
  const struct few_pickle_value *id = is(v, FEW_PICKLE_PERSISTENT) ? &k->values.at[v->first] : NULL;
  if (!is(id, FEW_PICKLE_TUPLE)) return bad(p, name, "it has no storage");
  const struct few_pickle_value *word = few__pickle_item(k, id, 0),
                                *type = few__pickle_item(k, id, 1);
  const struct few_pickle_value *key = few__pickle_item(k, id, 2), *n = few__pickle_item(k, id, 4);
  const struct few_pickle_value *view = few__pickle_item(k, id, 5);
  if (!is(word, FEW_PICKLE_TEXT) || !few__pickle_text_is(word, "storage") ||
      !is(type, FEW_PICKLE_NAME) || !is(key, FEW_PICKLE_TEXT) || !is(n, FEW_PICKLE_INT) ||
      n->number < 0 || (view && view->kind != FEW_PICKLE_NONE))
    return bad(p, name, "its storage has an unknown kind");
  for (*out = 0; *out < p->storages.n; ++*out) {
    const struct few_pth_storage *s = &p->storages.at[*out];
    if (!s->call && s->key_length == key->length && !memcmp(s->key, key->text, key->length))
      return FEW_OK;
  }
  struct few_pth_storage s = {.key = key->text, .key_length = key->length, .count = n->number};
  if (!store_of(type, &s.store))
    return few__fail(p->ctx, FEW_E_UNSUPPORTED,
                     "%s: tensor `%.100s` is a %.*s: convert it to float32 first", p->place, name,
                     (int)type->length - 6, type->text + 6);
  if (p->zip) FEW_TRY(load_member(p, &s));
  return add_storage(p, name, &s);
}

static few_status read_storage_file(struct few_pth_parse *inner, const char *name, int *out);

/* The storage that is a file of torch.save in the bytes of a call. */
static few_status packed_storage(struct few_pth_parse *p, const char *name,
                                 const struct few_pickle_value *call, int *out) {
  const struct few_pickle_value *b = few__pickle_item(&p->pickle, call, 0);
  int index = 0;
  for (*out = 0; *out < p->storages.n; ++*out)
    if (p->storages.at[*out].call == call) return FEW_OK;
  if (!is(b, FEW_PICKLE_BYTES) || p->within) return bad(p, name, "its storage has an unknown kind");
  p->made += b->length;
  if (p->made / SHARED > p->n) return bad(p, name, "the same bytes are used for too many storages");
  struct few_pth_parse inner = {
      .ctx = p->ctx, .place = p->place, .bytes = b->text, .n = b->length, .out = p->out};
  inner.within = true;
  few_status st = read_storage_file(&inner, name, &index);
  if (!st) {
    struct few_pth_storage s = inner.storages.at[index];
    s.key = "";
    s.key_length = 0;
    s.call = call;
    st = add_storage(p, name, &s);
  }
  few__pth_parse_end(&inner);
  return st;
}

static few_status storage_of(struct few_pth_parse *p, const char *name,
                             const struct few_pickle_value *v, int *out) {
  if (is(v, FEW_PICKLE_CALL) && few__pickle_text_is(v, "torch.storage\n_load_from_bytes"))
    return packed_storage(p, name, v, out);
  return stored_storage(p, name, v, out);
}

/* ---- tensors ---- */

struct layout {
  int64_t offset, stride[FEW_STORE_RANK];
};

static few_status read_counts(struct few_pth_parse *p, const char *name,
                              const struct few_pickle_value *v, int rank, int64_t *out) {
  if (v->n != rank) return bad(p, name, "its shape and strides differ in number");
  for (int i = 0; i < rank; i++) {
    const struct few_pickle_value *d = few__pickle_item(&p->pickle, v, i);
    if (!is(d, FEW_PICKLE_INT) || d->number < 0)
      return bad(p, name, "a dimension is not a non-negative integer");
    out[i] = d->number;
  }
  return FEW_OK;
}

/* True if the last element of the tensor is inside its storage. A tensor may not be larger than its
 * storage either. */
static bool inside(const struct few_st_tensor *t, const struct layout *l, int64_t count) {
  int64_t left = count - 1 - l->offset;
  if (t->count == 0) return true;
  if (left < 0 || t->count > count) return false;
  for (int k = 0; k < t->rank; k++) {
    if (t->dim[k] > 1 && l->stride[k] > left / (t->dim[k] - 1)) return false;
    left -= (t->dim[k] - 1) * l->stride[k];
  }
  return true;
}

static bool dense(const struct few_st_tensor *t, const struct layout *l) {
  int64_t step = 1;
  for (int k = t->rank - 1; k >= 0; k--) {
    if (t->dim[k] != 1 && l->stride[k] != step) return false;
    step *= t->dim[k];
  }
  return true;
}

static void gather(const struct few_st_tensor *t, const struct layout *l, const char *from,
                   char *to) {
  const size_t size = few__store_size(t->store);
  assert(l->offset >= 0 && t->rank <= FEW_STORE_RANK && t->bytes == (size_t)t->count * size);
  for (int64_t i = 0; i < t->count; i++) {
    int64_t at = l->offset, rest = i;
    for (int k = t->rank - 1; k >= 0; k--) {
      at += rest % t->dim[k] * l->stride[k];
      rest /= t->dim[k];
    }
    memcpy(to + (size_t)i * size, from + (size_t)at * size, size);
  }
}

/* Reads shape, strides and storage of a tensor from its call. Its numbers exist only after the
 * storages have been read. */
static few_status read_layout(struct few_pth_parse *p, const struct few_pickle_value *call,
                              struct few_st_tensor *t, struct layout *l, int *storage) {
  const struct few_pickle *k = &p->pickle;
  const struct few_pickle_value *offset = few__pickle_item(k, call, 1);
  const struct few_pickle_value *shape = few__pickle_item(k, call, 2);
  const struct few_pickle_value *strides = few__pickle_item(k, call, 3);
  FEW_TRY(storage_of(p, t->name, few__pickle_item(k, call, 0), storage));
  const struct few_pth_storage *s = &p->storages.at[*storage];
  if (!is(offset, FEW_PICKLE_INT) || offset->number < 0 || !is(shape, FEW_PICKLE_TUPLE) ||
      !is(strides, FEW_PICKLE_TUPLE) || shape->n > FEW_STORE_RANK)
    return bad(p, t->name, "its offset, shape or strides are invalid");
  t->store = s->store;
  t->rank = shape->n;
  l->offset = offset->number;
  FEW_TRY(read_counts(p, t->name, shape, t->rank, t->dim));
  FEW_TRY(read_counts(p, t->name, strides, t->rank, l->stride));
  if (!few__store_count(t->store, t->rank, t->dim, &t->count, &t->bytes) || !inside(t, l, s->count))
    return bad(p, t->name, "it reaches beyond its storage");
  return FEW_OK;
}

static few_status take_numbers(struct few_pth_parse *p, struct few_st_tensor *t,
                               const struct layout *l, const struct few_pth_storage *s) {
  if (!s->data) return bad(p, t->name, "its numbers are missing");
  if (dense(t, l)) {
    t->data = t->count ? s->data + (size_t)l->offset * few__store_size(t->store) : s->data;
    return FEW_OK;
  }
  p->made += t->bytes;
  if (p->made / SHARED > p->n)
    return bad(p, t->name, "copies of strided tensors are far larger than the file");
  char *copy = few__alloc(p->ctx, t->bytes + 1);
  FEW_TRY(own(p, copy));
  gather(t, l, s->data, copy);
  t->data = copy;
  return FEW_OK;
}

few_status few__pth_add_tensor(struct few_pth_parse *p, const char *name, size_t length,
                               const struct few_pickle_value *call, bool numbers) {
  struct few_pth *out = p->out;
  struct layout l = {0};
  int storage = 0;
  char *copy = few__alloc(p->ctx, length + 1);
  FEW_TRY(own(p, copy));
  memcpy(copy, name, length);
  copy[length] = 0;
  struct few_st_tensor t = {.name = copy};
  FEW_TRY(read_layout(p, call, &t, &l, &storage));
  if (!numbers) return FEW_OK;
  FEW_TRY(take_numbers(p, &t, &l, &p->storages.at[storage]));
  FEW_TRY(few__grow(p->ctx, (void *)&out->at, &p->cap, out->n + 1, sizeof *out->at));
  out->at[out->n++] = t;
  return FEW_OK;
}

bool few__pth_is_tensor(const struct few_pickle_value *v) {
  return v->kind == FEW_PICKLE_CALL &&
         (few__pickle_text_is(v, "torch._utils\n_rebuild_tensor_v2") ||
          few__pickle_text_is(v, "torch._utils\n_rebuild_tensor"));
}

/* The dictionary of tensors: the root, or its entry `ema` (averaged weights), `state_dict` or
 * `model`. */
static const struct few_pickle_value *dictionary(const struct few_pickle *k) {
  static const char *const words[] = {"ema", "state_dict", "model"};
  const struct few_pickle_value *root = &k->values.at[k->root];
  int best = FEW_COUNT(words);
  const struct few_pickle_value *inner = NULL;
  if (root->kind != FEW_PICKLE_DICT) return NULL;
  for (int c = root->first; c >= 0; c = k->cells.at[c].next) {
    const struct few_pickle_value *key = &k->values.at[k->cells.at[c].key];
    const struct few_pickle_value *value = &k->values.at[k->cells.at[c].value];
    if (few__pth_is_tensor(value)) return root;
    if (key->kind != FEW_PICKLE_TEXT || value->kind != FEW_PICKLE_DICT) continue;
    for (int i = 0; i < best; i++)
      if (few__pickle_text_is(key, words[i])) {
        best = i;
        inner = value;
      }
  }
  return inner;
}

static few_status add_tensors(struct few_pth_parse *p, bool numbers) {
  const struct few_pickle *k = &p->pickle;
  const struct few_pickle_value *dict = dictionary(k);
  if (!dict)
    return few__fail(p->ctx, FEW_E_FORMAT,
                     "%s: there is no dictionary of tensors: save only weights, "
                     "torch.save(model.state_dict(), FILE)",
                     p->place);
  for (int c = dict->first; c >= 0; c = k->cells.at[c].next) {
    const struct few_pickle_value *key = &k->values.at[k->cells.at[c].key];
    const struct few_pickle_value *value = &k->values.at[k->cells.at[c].value];
    if (key->kind == FEW_PICKLE_TEXT && few__pth_is_tensor(value))
      FEW_TRY(few__pth_add_tensor(p, key->text, key->length, value, numbers));
  }
  return numbers && !p->out->n ? bad(p, "", "there is no tensor in it") : FEW_OK;
}

/* ---- the file ---- */

static few_status parse_legacy(struct few_pth_parse *p) {
  struct few_pickle keys;
  size_t at, used;
  FEW_TRY(open_legacy(p, &at));
  FEW_TRY(add_tensors(p, false)); /* finds the storages */
  FEW_TRY(few__pickle_parse(p->ctx, &keys, p->place, &few__pickle_state_dict, p->bytes + at,
                            p->n - at, &used));
  few_status st = read_legacy_storages(p, &keys, at + used);
  few__pickle_free(p->ctx, &keys);
  return st ? st : add_tensors(p, true);
}

/* A storage that torch.save wrote, which is in bytes in another pickle. */
static few_status read_storage_file(struct few_pth_parse *inner, const char *name, int *out) {
  struct few_pickle keys;
  size_t at, used;
  if (!is_legacy(inner->bytes, inner->n))
    return bad(inner, name, "its storage is not in PyTorch's format");
  FEW_TRY(open_legacy(inner, &at));
  FEW_TRY(storage_of(inner, name, &inner->pickle.values.at[inner->pickle.root], out));
  FEW_TRY(few__pickle_parse(inner->ctx, &keys, inner->place, &few__pickle_state_dict,
                            inner->bytes + at, inner->n - at, &used));
  few_status st = read_legacy_storages(inner, &keys, at + used);
  few__pickle_free(inner->ctx, &keys);
  if (!st && !inner->storages.at[*out].data) st = bad(inner, name, "its numbers are missing");
  return st;
}

static bool is_zip(const char *bytes, size_t n) { return n >= 4 && !memcmp(bytes, "PK\3\4", 4); }

static bool is_tar(const char *bytes, size_t n) {
  return n > 262 && !memcmp(bytes + 257, "ustar", 5);
}

/* A safetensors file may begin with the bytes of a pickle too, but then come a 0 and a brace. */
bool few__pth_is(const void *bytes, size_t n) {
  const unsigned char *b = bytes;
  bool pickle = n >= 9 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5 && (b[7] || b[8] != '{');
  return is_zip(bytes, n) || is_tar(bytes, n) || pickle;
}

/* `head` has the first n bytes of the file. */
static few_status parse_file(struct few_pth_parse *p, const char *head, size_t n) {
  FEW_TRY(FEW_NEW(p->ctx, &p->out->hold, 1));
  if (is_zip(head, n)) {
    FEW_TRY(open_zip(p));
    return add_tensors(p, true);
  }
  if (is_legacy(head, n)) return parse_legacy(p);
  if (is_tar(head, n))
    return few__fail(
        p->ctx, FEW_E_UNSUPPORTED,
        "%s: a tar archive of PyTorch before 0.1.10: load it and save it with a newer version",
        p->place);
  return few__fail(p->ctx, FEW_E_FORMAT,
                   "%s: torch.save did not write this file: fetch or make it again", p->place);
}

static few_status parse(few_ctx *ctx, struct few_pth *out, const char *place, const char *bytes,
                        size_t n, const char *head, size_t n_head) {
  struct few_pth_parse p = {.ctx = ctx, .place = place, .bytes = bytes, .n = n, .out = out};
  *out = (struct few_pth){0};
  few_status st = parse_file(&p, head, n_head);
  few__pth_parse_end(&p);
  if (st) few__pth_free(ctx, out);
  return st;
}

void few__pth_parse_end(struct few_pth_parse *p) {
  few__pickle_free(p->ctx, &p->pickle);
  few__free(p->ctx, p->storages.at);
  few__free(p->ctx, p->data_pkl);
  if (p->zip) zip_discard(p->zip);
}

few_status few__pth_parse(few_ctx *ctx, struct few_pth *out, const char *place, const void *bytes,
                          size_t n) {
  return parse(ctx, out, place, bytes, n, bytes, n);
}

/* libzip reads only the needed members of an archive; a legacy file is read in order. */
static few_status read_feed(few_ctx *ctx, struct few_pth *out, struct few_feed *from) {
  const uint8_t *head;
  char *bytes = NULL;
  size_t n, n_head;
  FEW_TRY(few__feed_peek(from, &head, &n_head));
  n = (size_t)from->size;
  if (from->fd >= 0 && !is_legacy((const char *)head, n_head))
    return parse(ctx, out, from->place, NULL, n, (const char *)head, n_head);
  FEW_TRY(few__new(ctx, &bytes, n + 1, 1));
  few_status st = few__feed_read(from, bytes, n);
  if (!st) st = few__pth_parse(ctx, out, from->place, bytes, n);
  few__free(ctx, bytes);
  return st;
}

few_status few__pth_read(few_ctx *ctx, struct few_pth *out, const char *path, size_t max_bytes) {
  struct few_feed from;
  *out = (struct few_pth){0};
  FEW_TRY(few__feed_open(ctx, &from, path));
  few_status st = few__feed_limit(&from, max_bytes);
  if (!st) st = read_feed(ctx, out, &from);
  few__feed_close(&from);
  return st;
}

void few__pth_free(few_ctx *ctx, struct few_pth *p) {
  struct few_pth_hold *h = p->hold;
  for (int i = 0; h && i < h->owned.n; i++) few__free(ctx, h->owned.at[i]);
  if (h) few__free(ctx, h->owned.at);
  few__free(ctx, h);
  few__free(ctx, p->at);
  *p = (struct few_pth){0};
}

const struct few_st_tensor *few__pth_find(const struct few_pth *p, const char *name) {
  for (int i = 0; i < p->n; i++)
    if (!strcmp(p->at[i].name, name)) return &p->at[i];
  return NULL;
}
