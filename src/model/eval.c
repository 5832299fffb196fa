#include "model.h"
void few__model_runner_free(few_model *m) { FEW_UNUSED(m); }
