#include "harness/cli/setup/model_inputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int find_input(const struct model *m, const char *name, size_t length)
{
    for (int i = 0; i < m->n_inputs; i++)
        if (strlen(m->input[i].name) == length && strncmp(m->input[i].name, name, length) == 0)
            return i;
    return -1;
}

static int assign(const struct model *m, const struct opt_list *given, const char **ret_file,
                  struct err *err)
{
    for (int k = 0; k < given->n; k++) {
        const char *item = given->item[k], *equals = strchr(item, '=');
        int i = equals ? find_input(m, item, (size_t)(equals - item)) : -1;

        if (equals && i < 0)
            return err_set(err, -EINVAL, "--input: model '%s' has no input '%.*s'; its first is '%s'",
                           m->name, (int)(equals - item), item, m->input[0].name);
        if (i >= 0 && ret_file[i])
            return err_set(err, -EINVAL, "--input: '%s' is given twice", m->input[i].name);
        for (i = equals ? i : 0; !equals && i < m->n_inputs && ret_file[i];)
            i++;
        if (i == m->n_inputs)
            return err_set(err, -EINVAL, "--input: model '%s' has %d inputs, got %d files", m->name,
                           m->n_inputs, given->n);
        ret_file[i] = equals ? equals + 1 : item;
    }
    return 0;
}

int cli_inputs(const struct cli *cli, const struct model *m, const struct opt_list *given,
               float ***ret_input, struct err *err)
{
    const char **file = calloc((size_t)m->n_inputs + 1, sizeof(*file));
    float **input = calloc((size_t)m->n_inputs + 1, sizeof(*input));
    int rc = file && input ? assign(m, given, file, err)
                           : err_set(err, -ENOMEM, "out of memory for %d inputs", m->n_inputs);

    for (int i = 0; i < m->n_inputs && rc == 0; i++) {
        const struct tensor_desc *d = &m->input[i].desc;

        input[i] = malloc((size_t)(d->rows * d->cols) * sizeof(float));
        if (!input[i])
            rc = err_set(err, -ENOMEM, "out of memory for input '%s'", m->input[i].name);
        else if (!file[i])
            model_fill_input(m, i, (uint64_t)cli->seed, input[i]);
        else if ((rc = model_load_input(m, i, file[i], input[i], err)) < 0)
            err_prefix(err, "--input");
    }
    free(file);
    if (rc < 0)
        cli_inputs_free(m, input);
    else
        *ret_input = input;
    return rc;
}

void cli_inputs_free(const struct model *m, float **input)
{
    for (int i = 0; input && i < m->n_inputs; i++)
        free(input[i]);
    free(input);
}
