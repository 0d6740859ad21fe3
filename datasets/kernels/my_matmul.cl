// flashmem-kernel 1
// agrees: matmul
// args: a, b, y, m, n, k, up(k, 4), up(n, 4)
// global: div_up(n, TN) , div_up(m, TM)
// local: LX, LY
// tunables: TM=1|4, TN=4|8, LX=1|8, LY=1|8
// needs: k % 4 == 0, n % TN == 0, bias == 0, res == 0, act == none, batch == 1, ta == 0, tb == 1
// flops: 2 * m * n * k
// bytes: 4 * (m * k + n * k + m * n)
// shape: m=64|128 n=256 k=256
//
// y[m,n] = a[m,k] b[n,k]^T, row-major floats: TM x TN elements of y per item. An example of a kernel
// that knows nothing of flashmem; the lines above are all that sweeping it takes. The rows of every
// tensor begin at multiples of four elements (lda, ldy), their padding is zero and stays zero.

__kernel void my_matmul(__global const float *restrict a, __global const float *restrict b,
                        __global float *restrict y, int m, int n, int k, int lda, int ldy)
{
    const int col = get_global_id(0) * TN, row = get_global_id(1) * TM;
    float sum[TM][TN];

    if (row >= m || col >= n)
        return;
    for (int i = 0; i < TM; i++)
        for (int j = 0; j < TN; j++)
            sum[i][j] = 0.0f;
    for (int p = 0; p < k; p++)
        for (int i = 0; i < TM; i++) {
            const float x = row + i < m ? a[(row + i) * lda + p] : 0.0f;

            for (int j = 0; j < TN; j++)
                sum[i][j] = fma(x, b[(col + j) * lda + p], sum[i][j]);
        }
    for (int i = 0; i < TM && row + i < m; i++)
        for (int j = 0; j < TN; j++)
            y[(row + i) * ldy + col + j] = sum[i][j];
}
