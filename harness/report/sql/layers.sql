-- Predicted over measured time of each layer, in one run of each device: of those within a limit of memory, if there are any,
-- that of the smallest model. size: the root of the layer's share of the run's kernels.
WITH chosen AS (
    SELECT * FROM (
        SELECT r.*, replace(replace(d.name, ',', ' '), char(34), ' ') AS device,
               row_number() OVER (PARTITION BY r.device_id
                                  ORDER BY r.memory_limit_bytes IS NULL, r.place, r.policy <> 'latency', r.form_place, r.id) AS rank
        FROM current_run r JOIN device d ON d.id = r.device_id
        WHERE ?1 > 0 AND r.listed AND r.policy IN ('latency', 'lc-opg')
          AND EXISTS (SELECT 1 FROM run_layer l WHERE l.run_id = r.id AND l.predicted_ns > 0))
    WHERE rank = 1
)
SELECT c.device || ': ' || replace(replace(c.model, ',', ' '), char(34), ' ') || ' ' || c.dtype AS panel,
       l.op AS series, l.layer, l.predicted_ns / (l.end_ns - l.start_ns) AS ratio,
       (l.end_ns - l.start_ns) / 1e6 AS measured_ms, l.predicted_ns / 1e6 AS predicted_ms,
       sqrt((l.end_ns - l.start_ns) * 1.0 / sum(l.end_ns - l.start_ns) OVER (PARTITION BY c.id)) AS size,
       l.load_bytes, l.name, c.setting, c.policy
FROM chosen c JOIN run_layer l ON l.run_id = c.id
WHERE l.predicted_ns > 0 AND l.end_ns > l.start_ns
ORDER BY c.device_id <> ?1, panel, series, l.layer;
