-- Devices beside each other by ratios alone: streaming against the preload that took turns with it, on every device
-- of the database, and the paper's phone (SmartMem over FlashMem). Kernels that carry; read in place apart.
WITH pair AS (
    SELECT r.model, r.place, r.form_place, r.dtype || ' ' || r.path || iif(r.kernel = 'pipelined', '', ' ' || r.kernel) AS setting,
           r.policy, d.name AS device, r.device_id <> ?1 AS other, r.integrated_ns AS ns, r.integrated_low_ns AS low,
           r.integrated_high_ns AS high, p.integrated_ns AS p_ns, p.integrated_low_ns AS p_low,
           p.integrated_high_ns AS p_high, r.avg_bytes AS b, p.avg_bytes AS p_b, r.disk_ns, r.kernel_ns, r.bound_ns
    FROM current_run r JOIN run p ON p.id = r.preload_id JOIN device d ON d.id = r.device_id
    WHERE r.policy IN ('lc-opg', 'latency') AND r.listed AND r.cache = 'cold' AND r.memory_limit_bytes IS NULL
), row AS (
    SELECT * FROM pair
    UNION ALL
    SELECT l.model, coalesce(z.params, 1e15), 9, 'f16', 'FlashMem', 'paper: phone', 2, l.flashmem_ms, NULL, NULL,
           l.smartmem_init_ms + l.smartmem_exec_ms, NULL, NULL, m.flashmem_mb, m.smartmem_mb, 2 * t.params_m / 1.5,
           CAST(l.smartmem_exec_ms AS REAL),
           max(2 * t.params_m / 1.5, CAST(l.smartmem_exec_ms AS REAL))
    FROM paper_table7_latency l JOIN paper_table8_memory m ON m.model = l.model JOIN paper_table6_models t ON t.abbr = l.model
    LEFT JOIN zoo z ON z.model = l.model
    WHERE l.smartmem_exec_ms > 0 AND l.model IN (SELECT model FROM pair)
)
SELECT model AS "model", device AS "device", setting AS "setting", policy AS "policy",
       round(p_ns * 1.0 / ns, 2) AS "latency: preload / streaming",
       iif(low IS NULL, NULL, printf('%.2f to %.2f', p_low / high, p_high / low)) AS "ends of both intervals",
       round(p_b * 1.0 / b, 2) AS "average memory: preload / streaming",
       round(disk_ns / kernel_ns, 2) AS "disk / kernels", round((disk_ns + kernel_ns) / bound_ns, 2) AS "ceiling of overlap",
       round(p_ns / (disk_ns + kernel_ns), 2) AS "preload / (disk + kernels)", round(ns / bound_ns, 2) AS "streaming / bound"
FROM row ORDER BY place, model, other, device, form_place, setting, policy;
