-- Predicted over measured integrated latency and peak memory, a point for every run whose plan predicts, on every device. Bars divide by
-- the ends of the measured interval. gnuplot cuts a string at a comma or a double quote: names have neither.
WITH point AS (
    SELECT r.*, replace(replace(d.name, ',', ' '), char(34), ' ')
               || CASE WHEN r.source <> 'disk' THEN ': emulated disk' WHEN r.kernel = 'direct' THEN ': in place' ELSE '' END
               AS series
    FROM current_run r JOIN device d ON d.id = r.device_id WHERE ?1 > 0 AND r.predicted_ns > 0
), both AS (
    SELECT 1 AS n, 'integrated latency' AS panel, predicted_ns / integrated_ns AS value, predicted_ns / integrated_high_ns AS low,
           predicted_ns / integrated_low_ns AS high, * FROM point
    UNION ALL
    SELECT 2, 'peak memory', 1.0 * predicted_peak_bytes / peak_bytes, 1.0 * predicted_peak_bytes / peak_bytes,
           1.0 * predicted_peak_bytes / peak_bytes, * FROM point WHERE predicted_peak_bytes > 0
)
SELECT panel, series, dense_rank() OVER (ORDER BY place, model) AS place,
       replace(replace(model, ',', ' '), char(34), ' ') AS model, value, low, high,
       (row_number() OVER (PARTITION BY panel, model ORDER BY series, form_place, setting, policy) - 0.5)
           / count(*) OVER (PARTITION BY panel, model) - 0.5 AS apart,
       policy, setting
FROM both ORDER BY n, series, 3, apart;
