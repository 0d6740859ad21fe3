/* Rows of test_operators.c for operators/products/. */
static const struct row products_cases[] = {
    {"matmul", "m=1,n=1,k=1", false, {"direct:lws=8x1", "staged:lws=1x1"}, false},
    {"matmul", "m=33,n=70,k=300", true,
     {"staged:BM=8,BN=64,BK=32,MR=4,NR=16,ORDER=2", "staged:BM=8,BN=32,BK=64,MR=4,NR=8",
      "direct:TM=8,TN=8,ORDER=2,lws=4x2", "tiled:TM=4,TN=4,BK=16,lws=4x2",
      "tiled:TM=4,TN=4,BK=16,TURNS=2,lws=4x2", "tiled:TM=2,TN=4,BK=8,STAGES=1,lws=1x2"}, false},
    {"matmul", "m=7,n=31,k=65,bias=1", false, {"direct:TM=2,TN=4,lws=2x4"}, false},
    {"matmul", "m=1,n=257,k=129,bias=1", false, {"staged:lws=1x1"}, false},
    {"matmul", "m=129,n=257,k=257", false, /* a block and one more, each way */
     {"tiled:TM=8,TN=8,BK=16,STAGES=1,lws=8x4", "tiled:TM=4,TN=4,BK=32,TURNS=2,lws=16x4",
      "tiled:TM=6,TN=12,BK=16,lws=4x4", "tiled:TM=8,TN=12,BK=8,lws=8x24"}, false},
    {"matmul", "m=2,n=8209,k=5", false, {NULL}, false},    /* b folded by its rows */
    {"matmul", "m=8195,n=3,k=4", false, {NULL}, false},    /* a and y folded by theirs */
    {"matmul", "m=3,n=2,k=32777", false, {NULL}, false},   /* a and b folded by their columns */
    {"matmul", "m=9,n=13,k=6,batch=3,aheads=1,bheads=1,b=input", false, {NULL}, false},
    {"matmul", "m=65,n=66,k=13,batch=3,aheads=1,cheads=1,b=input,bias=1,act=gelu", false,
     {"tiled:TM=2,TN=4,BK=8,STAGES=1,lws=1x2"}, false}, /* 16 blocks and some more, each way */
    {"matmul", "m=9,n=6,k=13,batch=3,tb=0,bheads=1,cheads=1,b=input", false,
     {"staged:BM=32,BN=64,BK=32", "direct:TM=8,TN=8,lws=4x2",
      "tiled:TM=2,TN=4,BK=16,TURNS=2,lws=2x2"},
     false},
    {"matmul", "m=34,n=37,k=35,batch=2,tb=0,aheads=1", false, {NULL}, false},
    {"matmul", "m=5,n=7,k=3,batch=65,tb=0,b=input", false, {NULL}, false},

    {"conv2d", "h=1,w=1,cin=1,cout=1,r=1,s=1,bias=1", false, {NULL}, false},
    {"conv2d", "h=15,w=13,cin=3,cout=35,r=7,s=7,stride=2,pad=3,bias=1", true,
     {"staged:BM=8,BN=64,BK=32,MR=4,NR=16,ORDER=2", "direct:TM=8,TN=8,ORDER=2,lws=4x2"}, false},
    {"conv2d", "h=9,w=7,cin=5,cout=67,r=3,s=3,pad=1,bias=1", false,
     {"tiled:TM=4,TN=4,BK=16,ORDER=2,TURNS=2,lws=4x4"}, false},
    {"conv2d", "h=7,w=7,cin=66,cout=31,r=1,s=1,stride=2,bias=1", false, {NULL}, false},
    {"conv2d", "h=12,w=11,cin=4,cout=9,r=2,s=3,dil=2,pad=2,stride=3,bias=1", false, {NULL}, false},
    {"conv2d", "h=3,w=4,cin=2,cout=3,r=5,s=4,pad=4", false, {NULL}, false}, /* taps all outside */
    {"conv2d", "h=97,w=89,cin=3,cout=5,r=2,s=1", false, {NULL}, false},     /* x and y folded */

    /* a transposed, a as the weight */
    {"matmul", "m=35,n=70,k=301,ta=1", false,
     {"staged:BM=8,BN=64,BK=32,MR=4,NR=16,ORDER=2", "direct:TM=8,TN=8,ORDER=2,lws=4x2",
      "tiled:TM=12,TN=8,BK=16,TURNS=2,lws=4x4"}, false},
    {"matmul", "m=1,n=5,k=3,ta=1,tb=0", false, {NULL}, false},
    {"matmul", "m=6,n=9,k=13,batch=3,ta=1,tb=0,aheads=1,bheads=1,a=weight,b=input", false,
     {"tiled:TM=4,TN=4,BK=8,lws=2x1"}, false},
    {"matmul", "m=8209,n=5,k=6,batch=2,ta=1,b=input,cheads=1", false, {NULL}, false},

    /* strides, padding and distances of taps that differ; channel groups, whole texels and not */
    {"conv2d", "h=12,w=11,cin=4,cout=9,r=3,s=2,stride=2,stride_w=3,pad=0,pad_w=2,dil_w=3", false,
     {NULL}, false},
    {"conv2d", "h=9,w=1,cin=5,cout=4,r=3,s=1,pad=1,pad_w=0,bias=1", false, {NULL}, false},
    {"conv2d", "h=9,w=7,cin=24,cout=48,r=3,s=3,pad=1,groups=3,bias=1,res=1,act=silu", false,
     {"grouped:TP=2", "staged:BM=8,BN=32,BK=32", "tiled:TM=4,TN=4,BK=32,lws=2x4"}, false},
    {"conv2d", "h=9,w=7,cin=6,cout=9,r=3,s=2,pad=1,groups=3,bias=1,stride_w=2", true, {NULL},
     false},
    {"conv2d", "h=3,w=5,cin=9,cout=6,r=1,s=1,groups=3", false, {"grouped:TP=1"}, false},
    {"conv2d", "h=13,w=19,cin=10,cout=10,r=3,s=3,pad=1,groups=10,bias=1,res=1,act=relu", true,
     {"grouped:TP=1,TR=1", "grouped:TP=16,TR=2,lws=2x3"}, false},
    {"conv2d", "h=29,w=70,cin=37,cout=37,r=9,s=9,stride=3,pad=4,groups=37", false,
     {"grouped:TP=2,TR=4", "grouped:TP=8,TR=16"}, false}, /* more taps than are staged */
    {"conv2d", "h=13,w=9,cin=7,cout=7,r=5,s=4,stride=2,pad=2,dil=2,groups=7", false, {NULL}, false},
    {"conv2d", "h=97,w=89,cin=3,cout=3,r=1,s=2,groups=3,act=sigmoid", false, {NULL}, false},

    /* transposed: filters as large as the stride, larger, smaller; phases that are not whole */
    {"deconv2d", "h=1,w=1,cin=1,cout=1,r=1,s=1", false, {NULL}, false},
    {"deconv2d", "h=5,w=7,cin=9,cout=10,r=2,s=2,stride=2,bias=1,act=relu", true,
     {"staged:BM=8,BN=64,BK=32,MR=4,NR=16,ORDER=2", "direct:TM=8,TN=8,ORDER=2,lws=4x2"}, false},
    {"deconv2d", "h=5,w=4,cin=6,cout=5,r=4,s=4,stride=4", false, {NULL}, false},
    {"deconv2d", "h=5,w=7,cin=5,cout=6,r=3,s=3,stride=2,pad=1,outpad=1,bias=1", false,
     {"staged:BM=8,BN=32,BK=32", "tiled:TM=4,TN=4,BK=16,lws=2x4"}, false},
    {"deconv2d", "h=6,w=5,cin=3,cout=37,r=4,s=5,stride=3,pad=2", false, {NULL}, false},
    {"deconv2d", "h=4,w=5,cin=3,cout=4,r=1,s=2,stride=3,outpad=2,act=sigmoid,bias=1", false, {NULL},
     false}, /* pixels that nothing reaches */
    {"deconv2d", "h=7,w=9,cin=70,cout=3,r=3,s=3,pad=1", false, {NULL}, false},
    {"deconv2d", "h=47,w=45,cin=3,cout=5,r=2,s=2,stride=2", false, {NULL}, false}, /* y folded */

    /* kernels with an order of their own: runs of k, strips of k */
    {"matmul", "m=33,n=70,k=298,bias=1", true,
     {"split:TM=4,TN=4,BK=16,SK=4,lws=4x8",
      "split:TM=8,TN=8,BK=32,STAGES=1,SK=4,TURNS=2,lws=2x8"}, false},
    {"matmul", "m=35,n=41,k=70,batch=2,ta=1,tb=0,b=input,cheads=1", false,
     {"split:TM=6,TN=12,BK=32,STAGES=1,SK=2,lws=2x4"}, false},
    {"matmul", "m=1,n=5,k=3,ta=1,tb=0", false, {"split:TM=1,TN=4,BK=32,SK=8,TURNS=2,lws=2x8"},
     false},
    {"conv2d", "h=9,w=7,cin=5,cout=67,r=3,s=3,pad=1,stride=2", false,
     {"split:TM=4,TN=4,BK=32,SK=8,lws=2x8"}, false},
    {"deconv2d", "h=6,w=5,cin=5,cout=6,r=3,s=3,stride=2,pad=1", false,
     {"split:TM=4,TN=4,BK=16,SK=4,lws=2x8"}, false},
    {"matmul", "m=1,n=71,k=1030,bias=1", true,
     {"vector:lws=8x4", "vector:lws=128x1", "few:MR=1,BN=16,BK=64,lws=1x1"}, false},
    {"matmul", "m=3,n=6,k=301,batch=2,aheads=1,bheads=1,cheads=1,b=input", false,
     {"few:MR=4,BN=16,BK=256,lws=1x1"}, false},
    {"matmul", "m=6,n=9,k=1027,batch=2,ta=1,tb=0,aheads=1,bheads=1,cheads=1,b=input", false,
     {"vector:lws=4x2"}, false},

    /* how a result ends */
    {"matmul", "m=5,n=7,k=9,bias=1,res=1,act=relu", true, {NULL}, false},
    {"matmul", "m=9,n=6,k=13,batch=3,b=input,cheads=1,scaled=1,res=1,act=sigmoid", false, {NULL},
     false},
    {"matmul", "m=9,n=37,k=13,bias=1,act=gelu", false, {NULL}, false},
    {"conv2d", "h=9,w=7,cin=5,cout=6,r=3,s=3,pad=1,bias=1,res=1,act=relu", false, {NULL}, false},
    {"conv2d", "h=5,w=7,cin=5,cout=9,r=1,s=1,act=silu", false, {NULL}, false},
};
