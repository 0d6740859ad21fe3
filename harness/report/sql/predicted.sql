-- Predicted against measured, for every run whose plan predicts: integrated latency, the accounted peak, and its layers as
-- they were profiled beside it. What is aimed at: 10 % on a GPU, 15 % on a CPU.
WITH layer AS (
    SELECT l.run_id, count(*) AS n, sum(abs(l.predicted_ns / (l.end_ns - l.start_ns) - 1) <= 0.1) AS near,
           sum(l.end_ns - l.start_ns) AS ns,
           sum(iif(abs(l.predicted_ns / (l.end_ns - l.start_ns) - 1) <= 0.1, l.end_ns - l.start_ns, 0)) AS near_ns,
           sum(l.predicted_ns) AS predicted_ns
    FROM run_layer l WHERE l.predicted_ns > 0 AND l.end_ns > l.start_ns GROUP BY l.run_id
)
SELECT r.model AS "model", r.policy AS "policy", d.name AS "device", r.setting AS "setting",
       round(r.predicted_ns / 1e6, 3) AS "predicted (ms)", round(r.integrated_ns / 1e6, 3) AS "integrated (ms)",
       round(r.predicted_ns / r.integrated_ns, 3) AS "predicted / measured",
       CASE WHEN r.predicted_ns / r.integrated_ns BETWEEN 1 - a.aim AND 1 + a.aim THEN 'yes'
            WHEN r.predicted_ns BETWEEN (1 - a.aim) * r.integrated_low_ns AND (1 + a.aim) * r.integrated_high_ns
            THEN 'no; of an end of the interval' ELSE 'no' END AS "within what is aimed at",
       round(r.predicted_peak_bytes / 1e6, 3) AS "predicted peak (MB)", round(r.peak_bytes / 1e6, 3) AS "peak (MB)",
       round(1.0 * r.predicted_peak_bytes / r.peak_bytes, 3) AS "peak: predicted / measured",
       l.n AS "layers", round(100.0 * l.near / l.n, 1) AS "layers within 10 % (%)",
       round(100.0 * l.near_ns / l.ns, 1) AS "their share of the time (%)",
       round(l.predicted_ns / l.ns, 3) AS "all layers: predicted / measured"
FROM current_run r JOIN device d ON d.id = r.device_id
JOIN (SELECT id, iif(type = 'cpu', 0.15, 0.1) AS aim FROM device) a ON a.id = r.device_id
LEFT JOIN layer l ON l.run_id = r.id
WHERE r.device_id = ?1 AND r.predicted_ns > 0
ORDER BY r.place, r.model, r.policy <> 'preload', r.policy, r.form_place, r.setting;
