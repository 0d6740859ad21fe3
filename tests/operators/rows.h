/* Rows of test_operators.c for operators/rows/. */
static const struct row rows_cases[] = {
    {"softmax", "rows=1,cols=1", false, {NULL}, false},
    {"softmax", "rows=3,cols=5", false, {"lws=4x2"}, false},
    {"softmax", "rows=7,cols=127,causal=7", true, {"VT=2,lws=4x3"}, false},
    {"softmax", "rows=10,cols=5,causal=5", false, {NULL}, false},
    {"softmax", "rows=5,cols=1025", false, {"VT=1,lws=16x1"}, false},
    {"softmax", "rows=2,cols=4099", false, {"VT=1,lws=8x2"}, false},
    {"softmax", "rows=2,cols=16385", true, {NULL}, false}, /* not kept between passes */
    {"softmax", "rows=8195,cols=3", false, {NULL}, false},
    {"softmax", "rows=2,cols=50257", false, {"VT=1,lws=16x1"}, false},

    {"layernorm", "rows=1,cols=1", false, {NULL}, false},
    {"layernorm", "rows=3,cols=5", false, {"lws=4x2"}, false},
    {"layernorm", "rows=7,cols=127", true, {"VT=2,lws=4x3"}, false},
    {"layernorm", "rows=5,cols=1024,eps_exp=6", false, {"VT=1,lws=16x1"}, false},
    {"layernorm", "rows=2,cols=4099", false, {"lws=2x2"}, false},
    {"layernorm", "rows=8195,cols=4", false, {NULL}, false},
    {"layernorm", "rows=2,cols=32771", false, {"VT=1,lws=2x2"}, false},

    {"groupnorm", "rows=1,c=1,groups=1", false, {NULL}, false},
    {"groupnorm", "rows=35,c=6,groups=2,act=silu", true, {"lws=2x4", "lws=4x1"}, false},
    {"groupnorm", "rows=67,c=40,groups=4", false, {"lws=4x16", "SPLIT=4,lws=5x2"}, false}, /* two groups a bundle */
    {"groupnorm", "rows=31,c=7,groups=7,eps_exp=6,act=sigmoid", false, {"lws=1x2"}, false},
    {"groupnorm", "rows=8195,c=16,groups=2", false, {"lws=2x8", "SPLIT=8,lws=2x8"}, false},
    {"groupnorm", "rows=5,c=260,groups=1", false, {"lws=8x8"}, false},

    {"reduce", "rows=1,cols=1", false, {NULL}, false},
    {"reduce", "rows=5,cols=127,kind=mean", true, {"along:lws=4x2", "along:VT=1,lws=16x1"}, false},
    {"reduce", "rows=3,cols=8197,kind=max", false, {"along:lws=4x2"}, false},
    {"reduce", "rows=8195,cols=5,kind=min", false, {NULL}, false},
    {"reduce", "rows=1,cols=1,axis=rows", false, {NULL}, false},
    {"reduce", "rows=49,cols=67,kind=mean,axis=rows", true, {"down:lws=4x4", "down:VT=4,lws=1x16"},
     false},
    {"reduce", "rows=127,cols=5,kind=max,axis=rows", false, {"down:lws=2x2"}, false},
    {"reduce", "rows=8195,cols=3,kind=sum,axis=rows", false, {"down:lws=1x8"}, false},
    {"reduce", "rows=3,cols=32773,kind=min,axis=rows", false, {NULL}, false},
};
