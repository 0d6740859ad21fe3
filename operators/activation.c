/* Activations in double precision; see activation.h. */
#include "operators/activation.h"

#include <math.h>
#include <stddef.h>

const char *const activation_names[] = {"none", "relu",    "gelu", "gelu_tanh",
                                        "silu", "sigmoid", "tanh", NULL};

double activation_value(int act, double x)
{
    const double sqrt_2_over_pi = 0.79788456080286535588, sqrt_half = 0.70710678118654752440;

    switch (act) {
    case ACT_RELU:
        return x < 0 ? 0 : x;
    case ACT_GELU:
        return 0.5 * x * (1 + erf(x * sqrt_half));
    case ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt_2_over_pi * (x + 0.044715 * x * x * x)));
    case ACT_SILU:
        return x / (1 + exp(-x));
    case ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case ACT_TANH:
        return tanh(x);
    default:
        return x;
    }
}

int activation_ops(int act)
{
    return act == ACT_NONE ? 0 : act == ACT_RELU ? 1 : 10;
}
