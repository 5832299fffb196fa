/* units.h - the units in which a network takes the data: the mean that is subtracted, and the
 * scale.
 */
#ifndef FEW_SRC_TRAIN_UNITS_H
#define FEW_SRC_TRAIN_UNITS_H

#include "setup.h"

/* Sets the model's mean and scale from the data and the key data_scale. */
few_status few__units_of_data(few_model *m, const struct few_setup *setup);

/* Warns if the data, in the model's units, have a standard deviation far from that with which the
 * model was trained. */
void few__units_check(const few_model *m, const struct few_setup *setup);

#endif
