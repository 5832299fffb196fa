"""libfew.so: its structs, constants and functions, as the headers in include/few declare them.

The prototypes are the text of the headers, and each struct lists the members of its C struct in
order. python/tests/test_abi.py compiles both beside the headers, so a difference fails there.
This module needs no other one, nor numpy.
"""
from __future__ import annotations

import ctypes
import os
import re
from ctypes import POINTER, c_bool, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint64
from ctypes import c_void_p
from typing import Any

LOG = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class Struct(ctypes.Structure):
    """A C struct. `initial` has the members of its ..._INIT that are not 0; `macro` is its name."""

    macro = ""
    initial: dict[str, Any] = {}

    @classmethod
    def names(cls) -> list[str]:
        return [field[0] for field in cls._fields_]

    @classmethod
    def new(cls, **members: Any) -> Any:
        """The struct as its ..._INIT makes it, with these members."""
        made = cls()
        for field in cls._fields_:
            if issubclass(field[1], Struct):
                setattr(made, field[0], field[1].new())
        for name, value in {**cls.initial, **members}.items():
            setattr(made, name, value)
        return made


class few_progress(Struct):
    _fields_ = [('what', c_char_p), ('done', c_int64), ('total', c_int64), ('seconds', c_double),
                ('note', c_char_p)]


PROGRESS = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(few_progress))


class few_allocator(Struct):
    _fields_ = [('user', c_void_p), ('alloc', c_void_p), ('release', c_void_p)]


class few_ctx_opts(Struct):
    macro = 'FEW_CTX_OPTS_INIT'
    initial = {'version': 1}
    _fields_ = [('version', c_int), ('allocator', few_allocator), ('user', c_void_p), ('log', LOG),
                ('progress', PROGRESS), ('workers', c_int)]


class few_model_info(Struct):
    _fields_ = [('net', c_char_p), ('objective', c_char_p), ('sampler', c_char_p), ('h', c_int64),
                ('w', c_int64), ('c', c_int64), ('points', c_bool), ('classes', c_int64),
                ('class_counts', POINTER(c_int64)), ('unlabelled', c_int), ('guided', c_bool),
                ('guidance_min', c_double), ('guidance_max', c_double), ('parameters', c_int64),
                ('sigma_data', c_double), ('step', c_int64), ('flops', c_double),
                ('step_size', c_bool), ('predicts', c_char_p), ('n_times', c_int),
                ('times', POINTER(c_double)), ('direction', c_int)]


class few_inputs(Struct):
    macro = 'FEW_INPUTS_INIT'
    initial = {'version': 1}
    _fields_ = [('version', c_int), ('n', c_int64), ('x', c_void_p), ('t', c_void_p),
                ('step_size', c_void_p), ('label', c_void_p), ('guidance', c_void_p)]


class few_real_list(Struct):
    _fields_ = [('n', c_int), ('at', c_double * 1024)]


class few_text_list(Struct):
    _fields_ = [('n', c_int), ('at', c_char_p * 64)]


class few_sample_opts(Struct):
    macro = 'FEW_SAMPLE_OPTS_INIT'
    initial = {'version': 4, 'n': 1, 'label': -1, 'guidance': 1.0, 'guidance_to': 2.0,
               'autoguidance': 1.0}
    _fields_ = [('version', c_int), ('n', c_int64), ('first', c_int64), ('steps', c_int),
                ('seed', c_uint64), ('sampler', c_char_p), ('label', c_int), ('guidance', c_double),
                ('batch', c_int64), ('n_times', c_int), ('times', c_void_p), ('schedule', c_char_p),
                ('n_settings', c_int), ('settings', c_void_p), ('guidance_from', c_double),
                ('guidance_to', c_double), ('autoguide', c_void_p), ('autoguidance', c_double),
                ('clip', c_double), ('threshold', c_double), ('finished', c_void_p)]


class few_sample_args(Struct):
    macro = 'FEW_SAMPLE_ARGS_INIT'
    initial = {'version': 1}
    _fields_ = [('version', c_int), ('opts', few_sample_opts), ('times', few_real_list),
                ('guidance_times', few_real_list), ('set', few_text_list), ('autoguide', c_char_p),
                ('autoguidance', c_double), ('guide', c_void_p)]


class few_data_opts(Struct):
    macro = 'FEW_DATA_OPTS_INIT'
    initial = {'version': 2, 'background': 255}
    _fields_ = [('version', c_int), ('split', c_int), ('on_error', c_int), ('limit', c_int64),
                ('size', c_int64), ('channels', c_int64), ('background', c_int64),
                ('seed', c_uint64), ('classes', c_int64), ('holdout', c_double), ('cache', c_int)]


class few_data_memory(Struct):
    macro = 'FEW_DATA_MEMORY_INIT'
    initial = {'version': 1, 'h': 1, 'w': 1, 'c': 1}
    _fields_ = [('version', c_int), ('name', c_char_p), ('n', c_int64), ('h', c_int64),
                ('w', c_int64), ('c', c_int64), ('pixels', c_void_p), ('points', c_void_p),
                ('item', c_void_p), ('user', c_void_p), ('kind', c_int), ('labels', c_void_p),
                ('n_classes', c_int64), ('class_names', c_void_p), ('borrow', c_bool)]


class few_data_scale(Struct):
    macro = 'FEW_DATA_SCALE_NONE'
    initial = {'scale': 1.0}
    _fields_ = [('mean', c_double), ('scale', c_double)]


class few_data_stream(Struct):
    macro = 'FEW_DATA_STREAM_INIT'
    initial = {'version': 2, 'shuffle': True}
    _fields_ = [('version', c_int), ('seed', c_uint64), ('shuffle', c_bool), ('flip', c_bool),
                ('scale', few_data_scale), ('scales', c_void_p)]


class few_eval_opts(Struct):
    macro = 'FEW_EVAL_OPTS_INIT'
    initial = {'version': 5, 'label': -3, 'seeds': 1, 'keep': 10000, 'subsets': 100,
               'subset_size': 1000, 'splits': 10}
    _fields_ = [('version', c_int), ('source', c_char_p), ('runner', c_void_p),
                ('reference', c_char_p), ('features', c_char_p), ('metrics', c_char_p),
                ('n', c_int64), ('n_reference', c_int64), ('sampling', few_sample_opts),
                ('label', c_int), ('label_word', c_char_p), ('seed', c_uint64), ('seeds', c_int),
                ('keep', c_int64), ('knn', c_int), ('ball', c_int), ('subsets', c_int),
                ('subset_size', c_int), ('splits', c_int), ('bootstrap', c_int),
                ('source_data', c_void_p), ('reference_data', c_void_p)]


class few_train_opts(Struct):
    macro = 'FEW_TRAIN_OPTS_INIT'
    initial = {'version': 2}
    _fields_ = [('version', c_int), ('recipe', c_char_p), ('run', c_char_p), ('n_overrides', c_int),
                ('overrides', c_void_p), ('text', c_char_p), ('data', c_void_p)]


class few_train_metric(Struct):
    _fields_ = [('name', c_char_p), ('value', c_double)]


class few_train_report(Struct):
    _fields_ = [('step', c_int64), ('steps', c_int64), ('loss', c_double), ('grad_norm', c_double),
                ('lr', c_double), ('event', c_char_p), ('why', c_char_p), ('seconds', c_double),
                ('n_metrics', c_int), ('metrics', POINTER(few_train_metric))]


class few_component(Struct):
    _fields_ = [('name', c_char_p), ('usage', c_char_p), ('help', c_char_p), ('source', c_char_p),
                ('options', c_void_p), ('steps', c_int)]


class few_option(Struct):
    _fields_ = [('key', c_char_p), ('type', c_int), ('offset', c_size_t), ('size', c_size_t),
                ('deflt', c_char_p), ('min', c_double), ('max', c_double), ('choices', c_char_p),
                ('help', c_char_p), ('value', c_char_p), ('needed', c_bool)]


STRUCTS = {kind.__name__: kind for kind in Struct.__subclasses__()}

CONSTANTS = {
    'FEW_VERSION_MAJOR': 0, 'FEW_VERSION_MINOR': 1, 'FEW_OK': 0, 'FEW_E_INVALID': 1, 'FEW_E_IO': 2,
    'FEW_E_FORMAT': 3, 'FEW_E_MEMORY': 4, 'FEW_E_UNSUPPORTED': 5, 'FEW_E_DIVERGED': 6,
    'FEW_E_CANCELLED': 7, 'FEW_LOG_DEBUG': 0, 'FEW_LOG_INFO': 1, 'FEW_LOG_WARN': 2,
    'FEW_LABEL_EACH': -1, 'FEW_LABEL_NONE': -2, 'FEW_LABEL_SHARES': -3, 'FEW_UNKNOWN': 0,
    'FEW_NO': 1, 'FEW_YES': 2, 'FEW_BOTH_WAYS': 0, 'FEW_DECODES': 1, 'FEW_ENCODES': 2,
    'FEW_DATA_IMAGES': 0, 'FEW_DATA_POINTS': 1, 'FEW_FP32': 0, 'FEW_TF32': 1, 'FEW_BF16': 2,
    'FEW_EVAL_BALL_OWN': 0, 'FEW_EVAL_BALL_CLOSED': 1, 'FEW_EVAL_BALL_OPEN': 2,
    'FEW_COMPONENT_NETWORK': 0, 'FEW_COMPONENT_OBJECTIVE': 1, 'FEW_COMPONENT_SAMPLER': 2,
    'FEW_COMPONENT_SCHEDULE': 3, 'FEW_COMPONENT_OPTIMIZER': 4, 'FEW_COMPONENT_PROCESS': 5,
    'FEW_COMPONENT_PREDICTION': 6, 'FEW_COMPONENT_WEIGHT': 7, 'FEW_COMPONENT_BALANCER': 8,
    'FEW_COMPONENT_READER': 9, 'FEW_COMPONENT_METRIC': 10, 'FEW_COMPONENT_FEATURES': 11,
    'FEW_COMPONENT_BACKEND': 12, 'FEW_COMPONENT_TRAINER': 13,
}

PROTOTYPES = """
int few_version_number(void);
const char *few_version(void);
few_status few_ctx_create(few_ctx **out, const struct few_ctx_opts *opts);
void few_ctx_free(few_ctx *ctx);
const char *few_error(const few_ctx *ctx);
void few_text_free(few_ctx *ctx, char *text);
few_status few_ctx_set_backend(few_ctx *ctx, const char *name);
few_status few_ctx_set_precision(few_ctx *ctx, few_precision precision);
bool few_component(struct few_component *out, size_t size, const few_ctx *ctx,
                   enum few_component_kind kind, int i);
few_status few_option_set(void *object, few_ctx *ctx, const struct few_option *table,
                          const char *key, const char *value);

few_status few_model_load(few_model **out, few_ctx *ctx, const char *path);
few_status few_model_save(const few_model *m, const char *path);
void few_model_free(few_model *m);
void few_model_info(struct few_model_info *out, size_t size, const few_model *m);
const char *few_model_class_name(const few_model *m, int64_t label);
few_status few_model_find_class(int *label, const few_model *m, const char *word);
few_status few_model_metadata(char **out, const few_model *m);
few_status few_model_show(char **out, const few_model *m, const struct few_show_opts *opts);
few_status few_runner_create(few_runner **out, few_ctx *ctx, const few_model *m);
void few_runner_free(few_runner *r);
few_status few_runner_eval(float *out, few_runner *r, const struct few_inputs *in);
few_status few_runner_step_size(float *out, few_runner *r, double t, double to);

const struct few_option *few_sample_options(void);
few_status few_sample_args_open(struct few_sample_args *args, few_ctx *ctx);
void few_sample_args_close(struct few_sample_args *args);
few_status few_sample(float *images, int32_t *labels, int *nfe, few_runner *r,
                      const struct few_sample_opts *opts);
few_status few_encode(float *noise, int *nfe, few_runner *r, const struct few_sample_opts *opts,
                      const float *images, const int32_t *label);
few_status few_decode(float *images, int *nfe, few_runner *r, const struct few_sample_opts *opts,
                      const float *noise, const int32_t *label);

few_status few_data_set_option(struct few_data_opts *opts, few_ctx *ctx, const char *key,
                               const char *value);
few_status few_data_full_spec(char **out, few_ctx *ctx, const char *name);
few_status few_data_open(few_data **out, few_ctx *ctx, const char *spec,
                         const struct few_data_opts *opts);
few_status few_data_create(few_data **out, few_ctx *ctx, const struct few_data_memory *memory,
                           const struct few_data_opts *opts);
void few_data_free(few_data *data);
few_data_kind few_data_get_kind(const few_data *data);
const char *few_data_spec(const few_data *data);
int64_t few_data_n(const few_data *data);
int few_data_h(const few_data *data);
int few_data_w(const few_data *data);
int few_data_c(const few_data *data);
int few_data_n_classes(const few_data *data);
const char *few_data_class_name(const few_data *data, int label);
int64_t few_data_skipped(const few_data *data);
const char *few_data_note(const few_data *data);
uint64_t few_data_hash(const few_data *data);
double few_data_mean(const few_data *data);
double few_data_std(const few_data *data);
few_status few_data_write(const few_data *data, const char *path, int64_t first, int64_t n,
                          int64_t columns);
few_status few_data_fill(float *x, int32_t *labels, const few_data *data,
                         const struct few_data_stream *stream, int64_t first_position,
                         int64_t count);

few_status few_eval(struct few_eval_report **out, few_ctx *ctx, const struct few_eval_opts *opts);
void few_eval_report_free(struct few_eval_report *r);
few_status few_eval_json(char **out, few_ctx *ctx, const struct few_eval_report *r);

few_status few_trainer_open(few_trainer **out, few_ctx *ctx, const struct few_train_opts *opts);
void few_trainer_close(few_trainer *t);
bool few_trainer_done(const few_trainer *t);
few_status few_trainer_step(few_trainer *t);
const struct few_train_report *few_trainer_report(const few_trainer *t);
few_status few_trainer_save(few_trainer *t);
few_status few_trainer_model(struct few_model **out, few_trainer *t);
"""

_SCALARS: dict[str, Any] = {
    'void': None, 'int': c_int, 'bool': c_bool, 'double': c_double, 'size_t': c_size_t,
    'int64_t': c_int64, 'uint64_t': c_uint64, 'few_status': c_int, 'few_precision': c_int,
    'few_data_kind': c_int, 'few_component_kind': c_int,
}


def _type(text: str) -> Any:
    """The ctypes type of "const char *" or of a parameter, which has a name at its end."""
    words = re.sub(r'\b(const|struct|enum)\b', '', text).replace('*', ' * ').split()
    stars, name = words.count('*'), words[0]
    if not stars:
        return _SCALARS[name]
    if stars == 1 and name == 'char':
        return c_char_p if 'const' in text else c_void_p
    return POINTER(STRUCTS[name]) if stars == 1 and name in STRUCTS else c_void_p


def _declare(library: ctypes.CDLL) -> None:
    for prototype in PROTOTYPES.split(';'):
        match = re.fullmatch(r'\s*(.*?)(few_\w+)\((.*)\)', prototype, re.DOTALL)
        if not match:
            continue
        result, name, parameters = match.groups()
        function = getattr(library, name)
        function.restype = _type(result)
        function.argtypes = [] if parameters == 'void' else [
            _type(p) for p in parameters.split(',')]


def load() -> ctypes.CDLL:
    """The library: the file that FEW_LIBRARY names, or else libfew.so in this package."""
    path = os.environ.get('FEW_LIBRARY') or os.path.join(os.path.dirname(__file__), 'libfew.so')
    try:
        library = ctypes.CDLL(path)
        number = library.few_version_number()
        _declare(library)
    except (OSError, AttributeError) as error:
        raise ImportError(f'few: {error}. Install the package again, or name a libfew.so of this '
                          'version in FEW_LIBRARY') from error
    expected = CONSTANTS['FEW_VERSION_MAJOR'] * 1000000 + CONSTANTS['FEW_VERSION_MINOR'] * 1000
    if number // 1000 * 1000 != expected:
        raise ImportError(f'few: {path} is version {library.few_version().decode()}, and the '
                          'package needs another one. Install the package again')
    return library
