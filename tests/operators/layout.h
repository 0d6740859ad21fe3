/* Rows of test_operators.c for operators/layout/. */
static const struct row layout_cases[] = {
    {"pool2d", "h=1,w=1,c=1,r=1,s=1", false, {NULL}, false},
    {"pool2d", "h=13,w=11,c=5,r=3,s=2,stride=2,pad=1", true, {"lws=4x4"}, false},
    {"pool2d", "h=13,w=11,c=5,r=3,s=3,stride=2,pad=1,kind=avg", true, {"lws=4x4"}, false},
    {"pool2d", "h=7,w=7,c=67,r=7,s=7,kind=avg", false, {NULL}, false},
    {"pool2d", "h=97,w=89,c=3,r=2,s=2,kind=avg", false, {NULL}, false}, /* folded input */

    {"gather", "t=1,vocab=1,cols=1", false, {NULL}, false},
    {"gather", "t=5,vocab=127,cols=13", true, {"VT=1,lws=4x4", "VT=16,lws=1x1"}, false},
    {"gather", "t=129,vocab=8209,cols=7", true, {NULL}, false}, /* folded weight */
};
