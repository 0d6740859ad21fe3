/* harness/import/shapes/fold_number.c - ONNX's functions of one number and of two, in double. */
#include <math.h>
#include <string.h>

#include "harness/import/shapes/fold.h"

bool fold_unary(const char *op, double x, double *ret)
{
    if (strcmp(op, "Relu") == 0)
        *ret = x > 0 ? x : 0;
    else if (strcmp(op, "Sigmoid") == 0)
        *ret = 1 / (1 + exp(-x));
    else if (strcmp(op, "Tanh") == 0)
        *ret = tanh(x);
    else if (strcmp(op, "Exp") == 0)
        *ret = exp(x);
    else if (strcmp(op, "Log") == 0)
        *ret = log(x);
    else if (strcmp(op, "Sqrt") == 0)
        *ret = sqrt(x);
    else if (strcmp(op, "Sin") == 0)
        *ret = sin(x);
    else if (strcmp(op, "Cos") == 0)
        *ret = cos(x);
    else if (strcmp(op, "Erf") == 0)
        *ret = erf(x);
    else if (strcmp(op, "Abs") == 0)
        *ret = fabs(x);
    else if (strcmp(op, "Neg") == 0)
        *ret = -x;
    else if (strcmp(op, "Reciprocal") == 0)
        *ret = 1 / x;
    else if (strcmp(op, "Floor") == 0)
        *ret = floor(x);
    else if (strcmp(op, "Ceil") == 0)
        *ret = ceil(x);
    else if (strcmp(op, "Round") == 0)
        *ret = rint(x);
    else if (strcmp(op, "Sign") == 0)
        *ret = (x > 0) - (x < 0);
    else if (strcmp(op, "Not") == 0)
        *ret = x == 0;
    else if (strcmp(op, "IsNaN") == 0)
        *ret = isnan(x) != 0;
    else if (strcmp(op, "IsInf") == 0)
        *ret = isinf(x) != 0;
    else
        return false;
    return true;
}

bool fold_binary(const char *op, enum elem elem, double a, double b, double *ret)
{
    if (strcmp(op, "Add") == 0 || strcmp(op, "Sum") == 0)
        *ret = a + b;
    else if (strcmp(op, "Sub") == 0)
        *ret = a - b;
    else if (strcmp(op, "Mul") == 0)
        *ret = a * b;
    else if (strcmp(op, "Div") == 0)
        *ret = elem == ELEM_FLOAT ? a / b : b != 0 ? trunc(a / b) : 0;
    else if (strcmp(op, "Pow") == 0)
        *ret = pow(a, b);
    else if (strcmp(op, "Mod") == 0)
        *ret = b != 0 ? a - floor(a / b) * b : 0;
    else if (strcmp(op, "Max") == 0)
        *ret = fmax(a, b);
    else if (strcmp(op, "Min") == 0)
        *ret = fmin(a, b);
    else if (strcmp(op, "Equal") == 0)
        *ret = a == b;
    else if (strcmp(op, "Less") == 0)
        *ret = a < b;
    else if (strcmp(op, "LessOrEqual") == 0)
        *ret = a <= b;
    else if (strcmp(op, "Greater") == 0)
        *ret = a > b;
    else if (strcmp(op, "GreaterOrEqual") == 0)
        *ret = a >= b;
    else if (strcmp(op, "And") == 0)
        *ret = a != 0 && b != 0;
    else if (strcmp(op, "Or") == 0)
        *ret = a != 0 || b != 0;
    else if (strcmp(op, "Xor") == 0)
        *ret = (a != 0) != (b != 0);
    else
        return false;
    return true;
}
