-- Figure 10: our devices in place of the paper's phones: streaming against the preload that took turns
-- with it, on every device of the database. Ratios alone: milliseconds of two devices are not compared.
WITH best AS ( -- of each device, model, dtype and path: the streaming run that was faster, read in place apart
    SELECT r.*, p.integrated_ns AS p_ns, p.integrated_low_ns AS p_low, p.integrated_high_ns AS p_high,
           p.avg_bytes AS p_avg, d.name AS device,
           row_number() OVER (PARTITION BY r.device_id, r.model, r.dtype, r.path, r.kernel = 'direct'
                              ORDER BY r.integrated_ns / p.integrated_ns, r.id) AS rank
    FROM current_run r JOIN run p ON p.id = r.preload_id JOIN device d ON d.id = r.device_id
    WHERE ?1 > 0 AND r.policy IN ('lc-opg', 'latency') AND r.listed AND r.cache = 'cold'
      AND r.memory_limit_bytes IS NULL
), point AS (
    SELECT replace(replace(device, ',', ' '), char(34), ' ')
               || iif(path = 'image', '', ' ' || path) || iif(kernel = 'direct', ' in place', '') AS device, replace(replace(model, ',', ' '), char(34), ' ') || ' ' || dtype AS model,
           p_ns / integrated_ns AS t, p_low / integrated_high_ns AS low,
           p_high / integrated_low_ns AS high, p_avg / avg_bytes AS b, policy, kernel
    FROM best WHERE rank = 1
)
SELECT 'latency: preload / streaming' AS panel, device AS series,
       dense_rank() OVER (ORDER BY model) AS place, model, t AS value, low, high, policy, kernel
FROM point
UNION ALL
SELECT 'average memory: preload / streaming', device, dense_rank() OVER (ORDER BY model), model, b, b, b,
       policy, kernel
FROM point
ORDER BY 1 DESC, 2, 4;
