/* harness/cli/setup/variants.h - --variants: which variants the layers of a model run in, decided
 * once for predictions and runs. */
#ifndef FLASHMEM_HARNESS_CLI_SETUP_VARIANTS_H
#define FLASHMEM_HARNESS_CLI_SETUP_VARIANTS_H

#include "harness/cli/cli.h"
#include "harness/model/model.h"
#include "harness/samples/best.h"

enum variants { VARIANTS_BEST, VARIANTS_DEFAULT };
extern const char *const variants_names[]; /* "best", "default", NULL */

#define VARIANTS_HELP "kernels and tunables: the fastest measured of each case, or the defaults"

/* One case. With --verbose, a note says what it is. `what` names the case in it. */
int variants_of_case(const struct cli *cli, struct store *st, int64_t device_id,
                     const struct device_info *dev, const struct op_case *c, enum mem_path path,
                     enum op_form form, enum variants which, const char *what, struct best *ret_b,
                     struct err *err);

/* ret_best[n_layers], freed by the caller; layers of one case share an answer. */
int variants_of_model(const struct cli *cli, struct store *st, int64_t device_id,
                      const struct device_info *dev, const struct model *m, enum mem_path path,
                      enum op_form form, enum variants which, struct best **ret_best,
                      struct err *err);

#endif
