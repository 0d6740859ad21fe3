/* Rows of test_operators.c for operators/rows/. */
static const struct row rows_cases[] = {
    {"softmax", "rows=1,cols=1", true, {"lws=8x1"}, false},
    {"softmax", "rows=3,cols=5", false, {"lws=4x2"}, false},
    {"softmax", "rows=7,cols=127,causal=7", true, {"lws=128x1", "lws=16x3"}, false},
    {"softmax", "rows=10,cols=5,causal=5", false, {NULL}, false},
    {"softmax", "rows=5,cols=1025", false, {"lws=128x1"}, false}, /* texels kept: 1024 */
    {"softmax", "rows=2,cols=4099", true, {"lws=64x2"}, false},   /* not kept between passes */
    {"softmax", "rows=8195,cols=3", false, {NULL}, false},
    {"softmax", "rows=2,cols=50257", false, {"lws=64x1"}, false},

    {"layernorm", "rows=1,cols=1", false, {NULL}, false},
    {"layernorm", "rows=3,cols=5", true, {"lws=4x2"}, false},
    {"layernorm", "rows=7,cols=127", true, {"lws=128x1", "lws=16x3"}, false},
    {"layernorm", "rows=5,cols=1024,eps_exp=6", false, {"lws=128x1"}, false},
    {"layernorm", "rows=2,cols=4099", true, {"lws=64x2"}, false},
    {"layernorm", "rows=8195,cols=4", false, {NULL}, false},
    {"layernorm", "rows=2,cols=32771", false, {NULL}, false},
};
