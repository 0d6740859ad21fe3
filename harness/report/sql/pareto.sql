-- Latency against memory as planned (plan --pareto): the newest plan by 'latency' of each model, setting
-- and limit, with the bound that it proved; and the runs under a limit, as measured. gnuplot cuts a
-- string at a comma or a double quote, so the panel's name has neither.
WITH front AS (
    SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY device_id, model, dtype, path, chunk_bytes,
                                                  disk_bytes_per_s, memory_limit_bytes
                                     ORDER BY made_utc DESC, id DESC) AS age
        FROM plan
        WHERE policy = 'latency' AND latency_bound_ns > 0 AND memory_limit_bytes > 0
          AND (device_id = ?1 OR device_id IS NULL))
    WHERE age = 1
), panel AS (
    SELECT id, replace(replace(model, ',', ' '), char(34), ' ')
               || coalesce(printf(' (%.2g GB/s)', disk_bytes_per_s / 1e9), '') AS name
    FROM front
), point AS (
    SELECT p.name AS panel, 'planned' AS series, f.memory_limit_bytes / 1e6 AS limit_mb,
           f.predicted_ns / 1e6 AS latency_ms, f.peak_bytes / 1e6 AS peak_mb
    FROM front f JOIN panel p ON p.id = f.id
    UNION ALL
    SELECT p.name, 'proven bound', f.memory_limit_bytes / 1e6, f.latency_bound_ns / 1e6,
           f.peak_bytes / 1e6
    FROM front f JOIN panel p ON p.id = f.id
    UNION ALL
    SELECT DISTINCT p.name, 'measured', r.memory_limit_bytes / 1e6, r.integrated_ns / 1e6,
           r.peak_bytes / 1e6
    FROM current_run r JOIN front f ON f.model = r.model AND f.dtype = r.dtype AND f.path = r.path
    JOIN panel p ON p.id = f.id
    WHERE r.device_id = ?1 AND r.policy = 'latency' AND r.memory_limit_bytes > 0
)
SELECT panel, series, limit_mb, latency_ms, peak_mb FROM point ORDER BY 1, 2, 3;
