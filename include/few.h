/* few.h - few-step diffusion: everything of the stable interface. */
#ifndef FEW_H
#define FEW_H

#include "few/backend.h"
#include "few/base.h"
#include "few/bench.h"
#include "few/check.h"
#include "few/component.h"
#include "few/data.h"
#include "few/eval.h"
#include "few/export.h"
#include "few/graph.h"
#include "few/import.h"
#include "few/inspect.h"
#include "few/loop.h"
#include "few/model.h"
#include "few/option.h"
#include "few/plan.h"
#include "few/record.h"
#include "few/run.h"
#include "few/sample.h"
#include "few/train.h"

#endif
