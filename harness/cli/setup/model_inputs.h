/* harness/cli/setup/model_inputs.h - what a command feeds a model: --input files, seeded values for
 * the rest. */
#ifndef FLASHMEM_HARNESS_CLI_SETUP_MODEL_INPUTS_H
#define FLASHMEM_HARNESS_CLI_SETUP_MODEL_INPUTS_H

#include "harness/cli/cli.h"
#include "harness/model/model.h"

/* `given`: "NAME=FILE.npy" goes to NAME, "FILE.npy" to the first input that has none. ret_input: one
 * row-major array for each input of the model; free with cli_inputs_free(). -EINVAL: an unknown or
 * repeated name, too many files, or what model_load_input() refuses. */
int cli_inputs(const struct cli *cli, const struct model *m, const struct opt_list *given,
               float ***ret_input, struct err *err);
void cli_inputs_free(const struct model *m, float **input); /* NULL is fine */

#endif
