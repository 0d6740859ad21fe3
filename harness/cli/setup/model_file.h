/* harness/cli/setup/model_file.h - the MODEL of a command line: a name, a graph CSV or an ONNX
 * file. */
#ifndef FLASHMEM_HARNESS_CLI_SETUP_MODEL_FILE_H
#define FLASHMEM_HARNESS_CLI_SETUP_MODEL_FILE_H

#include <limits.h>

#include "harness/cli/cli.h"
#include "harness/model/model.h"

/* model_read(), and an ONNX file is imported first: its graph is nowhere kept. */
int cli_model(const struct cli *cli, const char *name, enum dtype dtype, struct model **ret_m,
              struct err *err);

/* Where the weights of that model lie: weights_default_path(); those of an ONNX file are written
 * there now, as MODEL.onnx.DTYPE.safetensors, each time. */
int cli_weights(const struct cli *cli, const char *name, const struct model *m,
                char ret_path[PATH_MAX], struct err *err);

#endif
