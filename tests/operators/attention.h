/* Rows of test_operators.c for attention: kernels add in different orders, each has its bits. */
static const struct row attention_cases[] = {
    {"attention", "heads=1,m=1,n=1,d=1,dv=1", false, {"tiled:lws=16x8"}, true},
    {"attention", "heads=2,m=37,n=150,d=13,dv=21,batch=2", true,
     {"staged:BM=8,MR=4,lws=1x1", "tiled:TM=2,lws=16x8"}, true},
    {"attention", "heads=3,m=131,n=131,d=8,dv=36,causal=1,scaled=0", false,
     {"staged:BM=32,lws=1x1", "tiled:TM=8,lws=16x8", "tiled:TM=1,lws=16x8"}, true},
    {"attention", "heads=1,m=9,n=5,d=300,dv=5,causal=1", false, {"tiled:TM=1,lws=16x8"}, true},
    {"attention", "heads=1,m=8195,n=3,d=3,dv=2", false, {"tiled:lws=16x8"}, true}, /* folded */
};
