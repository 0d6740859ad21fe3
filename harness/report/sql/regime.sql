-- When does streaming pay? Each point: streaming against the preload of the same session and setting, over
-- how long the disk takes beside the kernels, each alone (the controls of the run). Simulated: the planner's
-- clock at several rates of the disk (plan --disk-rate). The paper's phone: 16-bit weights at 1.5 GB/s from
-- disk and 65 GB/s into textures (its Figure 1) over SmartMem's execution, and its ratios over SmartMem.
WITH pair AS (
    SELECT r.id, r.model, r.dtype, r.path, r.source, r.policy, r.kernel, r.disk_ns / r.kernel_ns AS x,
           p.integrated_ns / r.integrated_ns AS t, p.integrated_low_ns / r.integrated_high_ns AS low,
           p.integrated_high_ns / r.integrated_low_ns AS high, p.avg_bytes / r.avg_bytes AS b,
           replace(replace(d.name, ',', ' '), char(34), ' ') AS device, r.kernel_ns, r.device_id
    FROM current_run r JOIN run p ON p.id = r.preload_id JOIN device d ON d.id = r.device_id
    WHERE r.policy IN ('lc-opg', 'latency') AND r.given = '' AND r.cache = 'cold' AND r.kernel_ns > 0
      AND r.disk_ns > 0 AND r.memory_limit_bytes IS NULL
      AND r.reader = 'ahead'
), transfer AS ( -- from memory to textures alone: what a preload from memory does before its first layer
    SELECT device_id, model, dtype, path, min(init_ns) AS ns FROM current_run
    WHERE source = 'ram' AND policy = 'preload' AND kernel = 'pipelined' AND given = ''
    GROUP BY device_id, model, dtype, path
), control AS (
    SELECT model, dtype, path, avg(kernel_ns) AS kernel_ns FROM current_run
    WHERE device_id = ?1 AND kernel_ns > 0 AND given = '' GROUP BY model, dtype, path
), planned AS (
    SELECT p.model, p.dtype, p.path, p.policy, p.predicted_ns, p.disk_bytes_per_s AS rate,
           (SELECT sum(w.bytes) FROM plan_weight w WHERE w.plan_id = p.id) AS bytes,
           p.peak_bytes, row_number() OVER (PARTITION BY p.model, p.dtype, p.path, p.policy, p.disk_bytes_per_s
                              ORDER BY p.made_utc DESC, p.id DESC) AS age
    FROM plan p
    WHERE p.device_id = ?1 AND p.predicted_ns > 0 AND p.disk_bytes_per_s > 0
      AND p.memory_limit_bytes IS NULL AND p.policy IN ('preload', 'latency')
      AND NOT EXISTS (SELECT 1 FROM run r WHERE r.plan_id = p.id)
), simulated AS (
    SELECT a.model, a.dtype, a.path, a.bytes / a.rate * 1e9 / c.kernel_ns AS x,
           a.predicted_ns / b.predicted_ns AS t
    FROM planned a
    JOIN planned b ON b.model = a.model AND b.dtype = a.dtype AND b.path = a.path AND b.rate = a.rate
                  AND b.policy = 'latency' AND b.age = 1
    JOIN control c ON c.model = a.model AND c.dtype = a.dtype AND c.path = a.path
    WHERE a.policy = 'preload' AND a.age = 1
), phone AS (
    SELECT t.abbr AS model, 2 * t.params_m / 1.5 / l.smartmem_exec_ms AS x,
           2 * t.params_m / 65.0 / l.smartmem_exec_ms AS y,
           (l.smartmem_init_ms + l.smartmem_exec_ms) / CAST(l.flashmem_ms AS REAL) AS t,
           CAST(m.smartmem_mb AS REAL) / m.flashmem_mb AS b
    FROM paper_table6_models t JOIN paper_table7_latency l ON l.model = t.abbr
    JOIN paper_table8_memory m ON m.model = t.abbr
    WHERE l.smartmem_exec_ms > 0
), named AS (
    SELECT p.*, CASE WHEN p.source = 'disk' THEN 'measured: ' || p.device ELSE 'emulated disk: ' || p.device END
               AS series, t.ns / p.kernel_ns AS y
    FROM pair p LEFT JOIN transfer t USING (device_id, model, dtype, path)
), ceiling AS ( -- nothing can gain more by overlap than (disk + kernels) / the larger
    WITH RECURSIVE e (x) AS (VALUES (0.01) UNION ALL SELECT x * 1.2589254 FROM e WHERE x < 99)
    SELECT x FROM e
), best AS ( -- of one model on one disk, the faster of the plans
    SELECT *, max(t) AS most FROM named WHERE y IS NOT NULL GROUP BY series, model, dtype, path, source
), point (place, panel, series, x, value, low, high, label, speed_up) AS (
    SELECT 1, 'speed-up over preload', 'ceiling of overlap', x, (1 + x) / max(1, x), NULL, NULL, '', NULL FROM ceiling
    WHERE EXISTS (SELECT 1 FROM pair)
    UNION ALL
    SELECT 1, 'speed-up over preload', 'simulated', x, t, NULL, NULL, model, NULL FROM simulated
    UNION ALL
    SELECT 1, 'speed-up over preload', series, x, t, low, high, model || ' ' || dtype || ' ' || policy || ' ' || kernel || ' ' || source, NULL
    FROM named
    UNION ALL
    SELECT 1, 'speed-up over preload', 'paper''s phone (over SmartMem)', x, t, NULL, NULL, model, NULL FROM phone
    UNION ALL
    SELECT 2, 'average memory: preload / streaming', series, x, b, NULL, NULL, model || ' ' || dtype || ' ' || policy || ' ' || kernel || ' ' || source, NULL
    FROM named
    UNION ALL
    SELECT 2, 'average memory: preload / streaming', 'paper''s phone (over SmartMem)', x, b, NULL, NULL, model, NULL FROM phone
    UNION ALL
    SELECT 3, 'where they lie; colour: speed-up', series, x, y, NULL, NULL, model || ' ' || dtype || ' ' || source, round(most, 1)
    FROM best
    UNION ALL
    SELECT 3, 'where they lie; colour: speed-up', 'paper''s phone (over SmartMem)', x, y, NULL, NULL, model, round(t, 1) FROM phone
)
SELECT panel, series, x AS disk_over_kernels, value, low, high, label, speed_up FROM point
WHERE EXISTS (SELECT 1 FROM pair)
ORDER BY place, panel, CASE series WHEN 'ceiling of overlap' THEN 1 WHEN 'simulated' THEN 2
                                   WHEN 'paper''s phone (over SmartMem)' THEN 9 ELSE 3 END, series, x;
