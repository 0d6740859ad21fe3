-- Figure 5 as a measurement: what carrying load costs in each form, for each of the paper's five
-- operators. Of each operator the one shape and tiling, in one memory path, that was measured in the
-- most forms at the most ratios up to 2. naive carries nothing: it is what the others are divided by.
WITH point AS (
    SELECT CASE WHEN op = 'attention' OR (op = 'matmul' AND shape LIKE '%b=input%') THEN 'Attention'
                WHEN op = 'matmul' THEN 'MatMul' WHEN op = 'add' THEN 'ElementWise'
                WHEN op = 'layernorm' THEN 'LayerNorm' WHEN op = 'softmax' THEN 'SoftMax' END
               AS name, op, shape, path, form, extra_ratio,
           replace(variant, ',' || form || ',', ',') AS tiling,
           slowdown, slowdown_low, slowdown_high, base_median_ns
    FROM current_sample
    WHERE device_id = ?1 AND slowdown IS NOT NULL AND dtype = 'f32' AND extra_ratio <= 2
), curves AS (
    SELECT name, op, shape, path, tiling, row_number() OVER (
               PARTITION BY name
               ORDER BY count(DISTINCT form) DESC, count(*) DESC, path = 'image' DESC,
                        avg(slowdown_high / slowdown_low), shape) AS rank
    FROM point WHERE name IS NOT NULL
    GROUP BY name, op, shape, path, tiling HAVING count(DISTINCT form) > 1
), chosen AS ( -- the label keeps the leading axes of the shape
    SELECT *, name || ' ' || replace(
               substr(shape, 1, min(instr(shape || ',b', ',b'), instr(shape || ',tb', ',tb'),
                                    instr(shape || ',causal', ',causal')) - 1), ',', ' ')
               || iif(path = 'image', '', ', ' || path) AS panel
    FROM curves WHERE rank = 1
), line AS (
    SELECT c.panel, p.form AS series,
           CASE form WHEN 'branching' THEN 1 WHEN 'pipelined' THEN 2 ELSE 3 END AS place,
           p.extra_ratio, p.slowdown, p.slowdown_low AS low, p.slowdown_high AS high,
           p.base_median_ns / 1000 AS base_us, p.shape, p.tiling
    FROM point p JOIN chosen c USING (name, op, shape, path, tiling)
    UNION ALL
    SELECT panel, 'naive', 0, ratio.column1, 1.0, 1.0, 1.0, NULL, shape, tiling
    FROM chosen, (VALUES (0.0), (2.0)) AS ratio
)
SELECT panel, series, extra_ratio, slowdown, low, high, base_us, shape, tiling
FROM line ORDER BY panel, place, extra_ratio;
