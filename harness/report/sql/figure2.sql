-- Figure 2: latency against extra load, one shape for each of the paper's five operators: the shape
-- measured at the most ratios, the slowest of those.
WITH point AS (
    SELECT CASE WHEN op = 'matmul' AND shape LIKE '%b=input%' THEN 'Attention'
                WHEN op = 'matmul' THEN 'MatMul' WHEN op = 'add' THEN 'ElementWise'
                WHEN op = 'layernorm' THEN 'LayerNorm' WHEN op = 'softmax' THEN 'SoftMax' END
               AS series, shape, path, variant, extra_ratio,
           slowdown, slowdown_low, slowdown_high, base_median_ns
    FROM current_sample
    WHERE device_id = ?1 AND slowdown IS NOT NULL AND form = 'pipelined' AND dtype = 'f32'
), curve AS (
    SELECT series, shape, path, variant, row_number() OVER (
               PARTITION BY series
               ORDER BY count(*) DESC, path = 'image' DESC, avg(base_median_ns) DESC) AS rank
    FROM point WHERE series IS NOT NULL AND extra_ratio <= 2 GROUP BY series, shape, path, variant
)
SELECT '' AS panel, series || ' ' || replace(shape, ',', ' ') AS series, 0.0 AS extra_ratio,
       1.0 AS slowdown, 1.0 AS low, 1.0 AS high, NULL AS base_us
FROM curve WHERE rank = 1
UNION ALL
SELECT '', p.series || ' ' || replace(p.shape, ',', ' '), p.extra_ratio, p.slowdown, p.slowdown_low,
       p.slowdown_high, p.base_median_ns / 1000
FROM point p JOIN curve c USING (series, shape, path, variant)
WHERE c.rank = 1 AND p.extra_ratio <= 2
ORDER BY 2, 3;
