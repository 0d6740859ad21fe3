/* Rows of test_operators.c for operators/pointwise/. */
static const struct row pointwise_cases[] = {
    {"null", "", true, {"lws=16x1"}, false},
    {"null", "items=1", true, {NULL}, false},

    {"relu", "rows=1,cols=1", true, {NULL}, false},
    {"relu", "rows=5,cols=7", true, {"VT=1,lws=1x1", "VT=16,lws=4x4"}, false},
    {"relu", "rows=8193,cols=3", true, {NULL}, false}, /* folded by its rows */
    {"relu", "rows=3,cols=32773", false, {NULL}, false}, /* folded by its columns */
    {"gelu", "rows=4,cols=4", false, {NULL}, false},
    {"gelu", "rows=31,cols=127", true, {"VT=2,lws=4x4"}, false},
    {"gelu", "rows=3,cols=5,approx=tanh", false, {NULL}, false},
    {"gelu", "rows=64,cols=64,approx=tanh", true, {"VT=1,lws=4x4"}, false},

    {"add", "rows=1,cols=1,brows=1,bcols=1", false, {NULL}, false},
    {"add", "rows=5,cols=13,brows=5,bcols=13", true, {"VT=1,lws=4x4"}, false},
    {"add", "rows=17,cols=13,brows=1,bcols=13,b=vector", true, {"VT=16,lws=4x4"}, false},
    {"add", "rows=17,cols=13,brows=1,bcols=13,b=weight", false, {NULL}, false},
    {"add", "rows=17,cols=13,brows=17,bcols=1", false, {NULL}, false},
    {"add", "rows=4,cols=5,brows=1,bcols=1,b=vector", false, {NULL}, false},
    {"add", "rows=8193,cols=5,brows=8193,bcols=1", true, {NULL}, false},
    {"add", "rows=2,cols=32769,brows=1,bcols=32769", false, {NULL}, false},
    {"mul", "rows=3,cols=3,brows=3,bcols=3", false, {NULL}, false},
    {"mul", "rows=127,cols=31,brows=127,bcols=1,b=weight", true, {"VT=2,lws=8x2"}, false},
    {"mul", "rows=4,cols=4,brows=1,bcols=4,b=vector", false, {NULL}, false},
};
