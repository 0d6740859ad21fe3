/* operators/activation.h - the functions that fused kernels end with, in the order of ACT in
 * kernels/math.cl. */
#ifndef FLASHMEM_OPERATORS_ACTIVATION_H
#define FLASHMEM_OPERATORS_ACTIVATION_H

enum activation { ACT_NONE, ACT_RELU, ACT_GELU, ACT_GELU_TANH, ACT_SILU, ACT_SIGMOID, ACT_TANH };

extern const char *const activation_names[]; /* "none", "relu", ..., NULL: choices of op params */
double activation_value(int act, double x);  /* in double, from the definition */
int activation_ops(
    int act); /* operations an element, for costs: some ten where there is an exp() */

#define ACTIVATION_PARAM                                                                           \
    {                                                                                              \
        "act", 0, 0, ACT_TANH, activation_names, "applied to the result"                           \
    }

#endif
