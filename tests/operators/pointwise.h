/* Rows of test_operators.c for operators/pointwise/. */
static const struct row pointwise_cases[] = {
    {"null", "", true, {"lws=16x1"}, false},
    {"null", "items=1", true, {NULL}, false},

    {"relu", "rows=1,cols=1", true, {NULL}, false},
    {"relu", "rows=5,cols=7", true, {"VT=1,lws=1x1", "VT=16,lws=4x4"}, false},
    {"relu", "rows=8193,cols=3", true, {NULL}, false}, /* folded by its rows */
    {"relu", "rows=3,cols=32773", false, {"VT=2", "VT=8,lws=2x2"}, false}, /* by its columns */
    {"gelu", "rows=4,cols=4", false, {NULL}, false},
    {"gelu", "rows=31,cols=127", true, {"VT=2,lws=4x4"}, false},
    {"gelu", "rows=3,cols=5,approx=tanh", false, {NULL}, false},
    {"gelu", "rows=64,cols=64,approx=tanh", true, {"VT=1,lws=4x4"}, false},
    {"silu", "rows=3,cols=17", false, {"VT=1"}, false},
    {"sigmoid", "rows=3,cols=13", false, {"VT=1", "VT=8,lws=2x1"}, false},
    {"tanh", "rows=5,cols=33", false, {"VT=1"}, false},
    {"erf", "rows=5,cols=33", false, {"VT=1"}, false},
    {"exp", "rows=3,cols=13", false, {"VT=1", "VT=2"}, false},
    {"log", "rows=3,cols=5", false, {"VT=1"}, false}, /* NaN for half of them */
    {"sqrt", "rows=3,cols=5", false, {"VT=1"}, false},
    {"sin", "rows=3,cols=5", false, {"VT=1"}, false},
    {"cos", "rows=3,cols=5", false, {"VT=1"}, false},
    {"abs", "rows=3,cols=5", false, {"VT=1"}, false},
    {"neg", "rows=3,cols=5", false, {"VT=1"}, false},
    {"recip", "rows=3,cols=5", false, {"VT=1"}, false},

    {"add", "rows=1,cols=1,brows=1,bcols=1", false, {NULL}, false},
    {"add", "rows=5,cols=13,brows=5,bcols=13", true, {"VT=1,lws=4x4"}, false},
    {"add", "rows=17,cols=13,brows=1,bcols=13,b=vector", true, {"VT=16,lws=4x4"}, false},
    {"add", "rows=17,cols=13,brows=1,bcols=13,b=weight", false, {NULL}, false},
    {"add", "rows=17,cols=13,brows=17,bcols=1", false, {NULL}, false},
    {"add", "rows=4,cols=5,brows=1,bcols=1,b=vector,act=sigmoid", false, {NULL}, false},
    {"add", "rows=8193,cols=5,brows=8193,bcols=1", true, {NULL}, false},
    {"add", "rows=2,cols=32769,brows=1,bcols=32769", false, {NULL}, false},
    {"add", "rows=15,cols=18,brows=5,bcols=18,act=gelu", false, {"VT=1"}, false},
    {"mul", "rows=3,cols=3,brows=3,bcols=3", false, {NULL}, false},
    {"mul", "rows=127,cols=31,brows=127,bcols=1,b=weight", true, {"VT=2,lws=8x2"}, false},
    {"mul", "rows=4,cols=4,brows=1,bcols=4,b=vector", false, {NULL}, false},
    {"sub", "rows=3,cols=5,brows=3,bcols=5", false, {NULL}, false},
    {"sub", "rows=4,cols=5,brows=1,bcols=1,b=weight,swap=1", false, {"VT=1"}, false},
    {"div", "rows=3,cols=5,brows=3,bcols=5", false, {"VT=1"}, false}, /* 0 / 0 in the padding */
    {"div", "rows=6,cols=21,brows=2,bcols=1,swap=1,act=tanh", false, {NULL}, false},
    {"max", "rows=3,cols=5,brows=3,bcols=5", false, {"VT=1"}, false},
    {"min", "rows=4,cols=7,brows=1,bcols=1,act=relu", false, {"VT=1"}, false},

    {"affine", "rows=1,cols=1", false, {NULL}, false},
    {"affine", "rows=7,cols=19,act=relu", true, {"VT=1,lws=4x4", "VT=8,lws=1x2"}, false},
    {"affine", "rows=5,cols=67,act=sigmoid", false, {"VT=2"}, false},
};
