-- Figure 2: latency against extra load, one curve for each of the paper's five operators: of those
-- measured at the most ratios up to 2, the one with the narrowest intervals.
WITH point AS (
    SELECT CASE WHEN op = 'attention' OR (op = 'matmul' AND shape LIKE '%b=input%') THEN 'Attention'
                WHEN op = 'matmul' THEN 'MatMul' WHEN op = 'add' THEN 'ElementWise'
                WHEN op = 'layernorm' THEN 'LayerNorm' WHEN op = 'softmax' THEN 'SoftMax' END
               AS name, shape, path, variant, extra_ratio,
           slowdown, slowdown_low, slowdown_high, base_median_ns
    FROM current_sample
    WHERE device_id = ?1 AND slowdown IS NOT NULL AND form = 'pipelined' AND dtype = 'f32'
      AND extra_ratio > 0 AND extra_ratio <= 4 -- the frame ends at 2; a line may leave it
), curve AS (
    SELECT name, shape, path, variant, row_number() OVER (
               PARTITION BY name
               ORDER BY sum(extra_ratio <= 2) DESC, path = 'image' DESC,
                        avg(slowdown_high / slowdown_low), shape) AS rank
    FROM point WHERE name IS NOT NULL GROUP BY name, shape, path, variant
), chosen AS ( -- the label keeps the leading axes of the shape
    SELECT name, shape, path, variant, name || ' ' || replace(
               substr(shape, 1, min(instr(shape || ',b', ',b'), instr(shape || ',tb', ',tb'),
                                    instr(shape || ',causal', ',causal')) - 1), ',', ' ') AS series
    FROM curve WHERE rank = 1
)
SELECT '' AS panel, series, 0.0 AS extra_ratio, 1.0 AS slowdown, 1.0 AS low, 1.0 AS high,
       NULL AS base_us, shape, variant
FROM chosen
UNION ALL
SELECT '', c.series, p.extra_ratio, p.slowdown, p.slowdown_low, p.slowdown_high,
       p.base_median_ns / 1000, p.shape, p.variant
FROM point p JOIN chosen c USING (name, shape, path, variant)
ORDER BY 2, 3;
