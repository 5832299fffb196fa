/* units.h - the units that a network sees the data in. */
#ifndef FEW_SRC_TRAIN_UNITS_H
#define FEW_SRC_TRAIN_UNITS_H

#include "setup.h"

/* Those that the data and the key data_scale ask for. */
few_status few__units_of_data(few_model *m, const struct few_setup *setup);

/* Warn where the data have another deviation in the model's units than that it was made for. */
void few__units_check(const few_model *m, const struct few_setup *setup);

#endif
