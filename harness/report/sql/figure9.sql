-- Figure 9: how much faster the plan is than each naive policy that took turns with it: both readers, and
-- the naive policies as they are and within the layers' capacities. Intervals divide the ends of both.
WITH point AS (
SELECT 'lc-opg against ' || n.policy AS panel,
       n.reader || iif(instr(n.given, '--respect-capacity'), ' within capacity', '') AS series,
       replace(replace(n.model, ',', ' '), char(34), ' ') || iif(n.dtype = 'f32', '', ' ' || n.dtype)
           || iif(n.path = 'image', '', ' ' || n.path) AS model,
       n.integrated_ns / p.integrated_ns AS value, n.integrated_low_ns / p.integrated_high_ns AS low,
       n.integrated_high_ns / p.integrated_low_ns AS high, CAST(g.high AS REAL) AS paper_up_to,
       n.avg_bytes / p.avg_bytes AS memory_ratio, n.integrated_ns / 1e6 AS naive_ms,
       p.integrated_ns / 1e6 AS plan_ms, n.avg_bytes / 1e6 AS naive_avg_mb, p.avg_bytes / 1e6 AS plan_avg_mb
FROM current_run n
JOIN run p ON p.session_id = n.session_id AND p.model = n.model AND p.policy = 'lc-opg'
LEFT JOIN paper_ranges g ON g.figure = '9' AND g.item = n.policy
WHERE n.device_id = ?1 AND n.policy IN ('same-op-type', 'always-next') AND n.source = 'disk'
  AND n.cache = 'cold' AND n.kernel = 'pipelined' AND n.given IN ('', '--respect-capacity')
  AND n.memory_limit_bytes IS NULL
)
SELECT panel, series, dense_rank() OVER (ORDER BY model) AS place, model, value, low, high,
       paper_up_to, memory_ratio, naive_ms, plan_ms, naive_avg_mb, plan_avg_mb
FROM point ORDER BY panel, model, series;
