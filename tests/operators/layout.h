/* Rows of test_operators.c for operators/layout/. */
static const struct row layout_cases[] = {
    {"pool2d", "h=1,w=1,c=1,r=1,s=1", false, {NULL}, false},
    {"pool2d", "h=13,w=11,c=5,r=3,s=2,stride=2,pad=1", true, {"lws=4x4"}, false},
    {"pool2d", "h=13,w=11,c=5,r=3,s=3,stride=2,pad=1,kind=avg", true, {"lws=4x4"}, false},
    {"pool2d", "h=7,w=7,c=67,r=7,s=7,kind=avg", false, {NULL}, false},
    {"pool2d", "h=97,w=89,c=3,r=2,s=2,kind=avg", false, {NULL}, false}, /* folded input */

    {"gather", "t=1,vocab=1,cols=1", false, {NULL}, false},
    {"gather", "t=5,vocab=127,cols=13", true, {"VT=1,lws=4x4", "VT=16,lws=1x1"}, false},
    {"gather", "t=129,vocab=8209,cols=7", false, {NULL}, false}, /* folded weight */

    {"slice", "rows=1,cols=1,rn=1,cn=1", false, {NULL}, false},
    {"slice", "rows=7,cols=37,r0=1,rn=3,rstep=2,c0=8,cn=13", true, {"RUN=1,VT=1,lws=4x4"}, false},
    {"slice", "rows=5,cols=31,rn=5,c0=3,cn=27", false, {"RUN=4,VT=16,lws=1x1"}, false},
    {"slice", "rows=5,cols=31,rn=3,r0=2,c0=5,cn=9,cstep=3", false, {"RUN=1,lws=4x4"}, false},
    {"slice", "rows=8209,cols=7,r0=3,rn=8193,c0=1,cn=5", false, {NULL}, false}, /* both folded */

    {"pad", "h=1,w=1,c=1", false, {NULL}, false},
    {"pad", "h=5,w=3,c=7,top=1,left=2,right=3", false, {"RUN=1,lws=4x4"}, false},
    {"pad", "h=3,w=4,c=6,bottom=2,c0=3,c1=2", false, {"RUN=4,VT=2,lws=4x4"}, false},
    {"pad", "h=97,w=83,c=3,right=2,c1=5", false, {NULL}, false}, /* y folded by its rows */

    {"window", "h=1,w=1,c=1,wh=1,ww=1", false, {NULL}, false},
    {"window", "h=7,w=10,c=5,wh=3,ww=4", false, {"RUN=1,lws=4x4"}, false},
    {"window", "h=7,w=10,c=5,wh=3,ww=4,kind=merge", false, {NULL}, false},
    {"window", "h=97,w=83,c=8,wh=14,ww=14,kind=merge", false, {NULL}, false}, /* x and... */
    {"window", "h=97,w=89,c=2,wh=8,ww=8", false, {NULL}, false}, /* ... y folded */

    {"resize", "h=1,w=1,c=1,oh=1,ow=1", false, {NULL}, false},
    {"resize", "h=5,w=7,c=5,oh=11,ow=3", false, {"RUN=1,lws=4x4"}, false},
    {"resize", "h=5,w=7,c=3,oh=9,ow=13,coord=align_corners", false, {NULL}, false},
    {"resize", "h=6,w=4,c=9,oh=15,ow=3,coord=asymmetric", false, {NULL}, false},
    {"resize", "h=5,w=7,c=5,oh=11,ow=3,kind=bilinear", true, {NULL}, false},
    {"resize", "h=5,w=7,c=6,oh=9,ow=1,kind=bilinear,coord=align_corners", false, {NULL}, false},
    {"resize", "h=1,w=4,c=7,oh=3,ow=10,kind=bilinear,coord=asymmetric", false, {NULL}, false},
    {"resize", "h=31,w=29,c=4,oh=97,ow=89,kind=bilinear", false, {NULL}, false}, /* y folded */

    {"concat", "n=2,size0=1,size1=1,other=1", false, {NULL}, false},
    {"concat", "n=4,size0=3,size1=1,size2=5,size3=2,other=9", true, {NULL}, false},
    {"concat", "n=3,axis=cols,size0=8,size1=4,size2=7,other=5", false, {"RUN=1,lws=4x4"}, false},
    {"concat", "n=4,axis=cols,size0=5,size1=1,size2=1,size3=10,other=3", false, {"RUN=4"}, false},
    {"concat", "n=2,axis=cols,size0=32769,size1=6,other=2", false, {NULL}, false}, /* folded */
    {"concat", "n=2,size0=8193,size1=2,other=5", false, {NULL}, false},

    {"transpose", "d0=1,perm=0,xc=0,yc=1", false, {NULL}, false},
    {"transpose", "d0=5,d1=7,perm=10", true, {"block:VT=2,lws=4x4"}, false},
    {"transpose", "d0=13,d1=3,d2=8,perm=102,xc=2", false, {"RUN=4,lws=4x4"}, false}, /* to heads */
    {"transpose", "d0=3,d1=13,d2=8,perm=102,yc=2", false, {NULL}, false}, /* and back */
    {"transpose", "d0=3,d1=13,d2=7,perm=102,yc=2", false, {NULL}, false},
    {"transpose", "d0=2731,d1=4,d2=8,perm=102,xc=2", false, {"direct:RUN=1,VT=1,lws=4x4"}, false},
    {"transpose", "d0=4,d1=2731,d2=8,perm=102,yc=2", true, {"direct:RUN=1,VT=1,lws=4x4"},
     false}, /* both from one folded image to another */
    {"transpose", "d0=6,d1=3,d2=5,perm=102", false, {NULL}, false}, /* whole rows of 5 */
    {"transpose", "d0=8,d1=3,d2=12,perm=201,xc=2", false, {"block:VT=4,lws=4x4"}, false},
    {"transpose", "d0=3,d1=4,d2=2,d3=5,d4=3,d5=2,perm=314052,xc=2,yc=3", false, {"RUN=1"}, false},
    {"transpose", "d0=2,d1=3,d2=4,d3=1,d4=3,d5=2,perm=543210,xc=3,yc=3", false, {NULL}, false},
    {"transpose", "d0=5,d1=6,d2=2,perm=12,yc=2", false, {NULL}, false}, /* a reshape */
    {"transpose", "d0=5,d1=6,perm=1,xc=2,yc=0", false, {NULL}, false},
    {"transpose", "d0=3,d1=8209,perm=10", false, {NULL}, false}, /* y folded by its rows */
    {"transpose", "d0=32772,d1=2,perm=10", false, {NULL}, false}, /* x by rows, y by columns */

    {"pool2d", "h=13,w=11,c=5,r=3,s=3,stride=2,pad=1,kind=avg,count_pad=1", false, {NULL}, false},
};
