/* Which checkpoint is read, which ones are kept, and undamaged files with invalid content. */
#include <inttypes.h>
#include <math.h>
#include <unistd.h>

#include "io/file.h"
#include "io/safetensors.h"
#include "train/checkpoint.h"
#include "train/updates.h"

static const char *const settings[] = {"width=16", "layers=2"};
static const struct few_run_identity id = {.layout = 1, .data = 2, .teacher = 3};

struct fixture {
  struct updates u;
  char dir[32], path[96];
};

static void begin(struct fixture *f) {
  updates_begin(&f->u, FEW_TEST_DIR "/../recipes/toy-teacher.ini", FEW_COUNT(settings), settings, 1,
                few__backend_ref());
  strcpy(f->dir, "/tmp/few-checkpoint-XXXXXX");
  assert_non_null(mkdtemp(f->dir));
}

static void end(struct fixture *f) {
  assert_ok(f->u.ctx, few__checkpoint_drop_after(f->u.ctx, f->dir, -1));
  assert_int_equal(rmdir(f->dir), 0);
  updates_end(&f->u);
}

static const char *name_of(struct fixture *f, const char *kind, int64_t step) {
  snprintf(f->path, sizeof f->path, "%s/%s-%09" PRId64 ".safetensors", f->dir, kind, step);
  return f->path;
}

static void put(struct fixture *f, int64_t step, enum few_checkpoint_kind kind) {
  f->u.state.step = step;
  assert_ok(f->u.ctx, few__checkpoint_write(f->u.ctx, &f->u.state, kind, f->dir, &id));
}

static int64_t read_step(struct fixture *f, struct few_checkpoint_pick pick) {
  bool found;
  f->u.state.step = -7;
  assert_ok(f->u.ctx, few__checkpoint_read(f->u.ctx, &f->u.state, f->dir, &id, pick, &found));
  assert_true(found == (f->u.state.step != -7));
  return f->u.state.step;
}

static bool milestone(struct fixture *f, int64_t step) {
  return few__path_exists(name_of(f, "checkpoint", step));
}
static bool interim(struct fixture *f, int64_t step) {
  return few__path_exists(name_of(f, "interim", step));
}

static void test_which(void **state) {
  FEW_UNUSED(state);
  struct fixture f;
  begin(&f);
  few_ctx *ctx = f.u.ctx;
  assert_int_equal(read_step(&f, FEW_CHECKPOINT_NEWEST), -7);
  for (int64_t step = 10; step <= 30; step += 10) put(&f, step, FEW_CHECKPOINT_MILESTONE);
  put(&f, 25, FEW_CHECKPOINT_INTERIM);
  put(&f, 33, FEW_CHECKPOINT_INTERIM);
  put(&f, 36, FEW_CHECKPOINT_INTERIM);
  assert_int_equal(read_step(&f, FEW_CHECKPOINT_NEWEST), 36);
  assert_int_equal(read_step(&f, (struct few_checkpoint_pick){36, false}), 33);
  assert_int_equal(read_step(&f, (struct few_checkpoint_pick){36, true}), 30);
  assert_int_equal(read_step(&f, (struct few_checkpoint_pick){30, true}), 20);
  assert_int_equal(read_step(&f, (struct few_checkpoint_pick){10, true}), -7);
  /* Two milestones are kept, and the newest interim checkpoint if it is newer than they are. */
  assert_ok(ctx, few__checkpoint_trim(ctx, f.dir, 36));
  assert_true(!milestone(&f, 10) && milestone(&f, 20) && milestone(&f, 30));
  assert_true(!interim(&f, 25) && !interim(&f, 33) && interim(&f, 36));
  put(&f, 40, FEW_CHECKPOINT_MILESTONE);
  assert_ok(ctx, few__checkpoint_trim(ctx, f.dir, 40));
  assert_true(!milestone(&f, 20) && milestone(&f, 30) && milestone(&f, 40) && !interim(&f, 36));
  /* A checkpoint later than the step of the run does not count: the run could not read it. */
  assert_ok(ctx, few__checkpoint_trim(ctx, f.dir, 35));
  assert_true(milestone(&f, 30) && milestone(&f, 40));
  assert_ok(ctx, few__checkpoint_drop_after(ctx, f.dir, 30));
  assert_true(milestone(&f, 30) && !milestone(&f, 40));
  end(&f);
}

/* Writes the checkpoint again, complete and with a digest, but with a different number in it. */
static void forge(struct fixture *f, const char *key, uint64_t bits) {
  few_ctx *ctx = f->u.ctx;
  struct few_st st;
  char text[24];
  const char *path = name_of(f, "checkpoint", 20);
  assert_ok(ctx, few__st_read(ctx, &st, path, SIZE_MAX / 2));
  snprintf(text, sizeof text, "0x%016" PRIx64, bits);
  bool set = false;
  for (int i = 0; i < st.n_meta; i++) {
    if (strcmp(st.meta[i].key, key) != 0) continue;
    st.meta[i].value = text;
    set = true;
  }
  assert_true(set);
  assert_ok(ctx, few__st_write(ctx, path, st.at, st.n, st.meta, st.n_meta));
  few__st_free(ctx, &st);
}

static uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static void test_numbers(void **state) {
  FEW_UNUSED(state);
  const struct {
    const char *key;
    uint64_t bits;
  } wrong[] = {
      {"step", UINT64_MAX},
      {"step", (uint64_t)INT64_MAX},
      {"step", 1000000001},
      {"updates", UINT64_MAX},
      {"updates", (uint64_t)1 << 63},
      {"updates", (uint64_t)1 << 40},
      {"fake_updates", (uint64_t)INT64_MAX},
      {"retries", UINT64_MAX},
      {"retries", 101},
      {"spikes", (uint64_t)INT64_MAX},
      {"rolled_to", (uint64_t)-2},
      {"lr_factor", bits_of(0)},
      {"lr_factor", bits_of(-1)},
      {"lr_factor", bits_of(2)},
      {"lr_factor", bits_of((double)NAN)},
      {"stretch", bits_of(0.5)},
      {"stretch", bits_of((double)INFINITY)},
      {"usual_norm", bits_of(-1)},
      {"usual_norm", bits_of((double)NAN)},
      {"usual_norm", bits_of((double)INFINITY)},
  };
  struct fixture f;
  begin(&f);
  put(&f, 10, FEW_CHECKPOINT_MILESTONE);
  for (int i = 0; i < FEW_COUNT(wrong); i++) {
    f.u.state.lr_factor = f.u.state.stretch = 1;
    f.u.state.updates = f.u.state.fake_updates = f.u.state.retries = f.u.state.spikes = 0;
    f.u.state.usual_norm = 0;
    f.u.state.rolled_to = -1;
    put(&f, 20, FEW_CHECKPOINT_MILESTONE);
    assert_int_equal(read_step(&f, FEW_CHECKPOINT_NEWEST), 20);
    forge(&f, wrong[i].key, wrong[i].bits);
    const int64_t step = read_step(&f, FEW_CHECKPOINT_NEWEST);
    if (step != 10) fail_msg("%s = %" PRIx64 " is taken", wrong[i].key, wrong[i].bits);
  }
  end(&f);
}

static void test_values(void **state) {
  FEW_UNUSED(state);
  static const float wrong[] = {NAN, INFINITY, -INFINITY};
  struct fixture f;
  begin(&f);
  put(&f, 10, FEW_CHECKPOINT_MILESTONE);
  for (int i = 0; i < FEW_COUNT(wrong); i++) {
    struct few_run_state *s = &f.u.state;
    float *at[] = {&s->here.param[s->n - 1], &s->here.moment[1][0], &s->here.ema[s->n_model / 2]};
    for (int k = 0; k < FEW_COUNT(at); k++) {
      assert_true(few__state_finite(s));
      *at[k] = wrong[i];
      assert_false(few__state_finite(s));
      put(&f, 20, FEW_CHECKPOINT_MILESTONE);
      assert_int_equal(read_step(&f, FEW_CHECKPOINT_NEWEST), 10);
    }
  }
  end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_which), cmocka_unit_test(test_numbers),
                                     cmocka_unit_test(test_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
