-- Table 1: what preloading costs. The paper's is MNN on a phone; ours reads and lays out at start-up
-- (preload-transform) or finds the layout made (preload). Loading is the disk alone, measured beside; what
-- is left of the time before the first layer is transformation and the way into textures.
WITH paper AS (
    SELECT CASE model WHEN 'Whisper' THEN 'Whisp-M' WHEN 'GPTNeo' THEN 'GPTN-S' ELSE model END AS abbr, *
    FROM paper_table1_preload_cost
), ours AS (
    SELECT * FROM current_run
    WHERE device_id = ?1 AND policy IN ('preload', 'preload-transform') AND listed AND cache = 'cold'
      AND memory_limit_bytes IS NULL AND reader = 'ahead' AND kernel IN ('pipelined', 'naive', 'copy')
)
SELECT coalesce(r.model, p.abbr) AS "model", coalesce(r.policy, 'preload') AS "policy",
       r.setting AS "setting", round(r.peak_bytes / 1e6, 3) AS "peak (MB)",
       round(r.avg_bytes / 1e6, 3) AS "average (MB)", round(r.disk_ns / 1e6, 3) AS "load: disk alone (ms)",
       round(r.init_ns / 1e6, 3) AS "before the first layer (ms)",
       round(r.exec_ns / 1e6, 3) AS "infer (ms)",
       round(r.init_ns / r.exec_ns, 2) AS "before / infer",
       CAST(p.peak_mb AS INTEGER) AS "paper: peak (MB)", CAST(p.avg_mb AS INTEGER) AS "paper: average (MB)",
       CAST(p.load_ms AS INTEGER) AS "paper: load (ms)", CAST(p.transform_ms AS INTEGER) AS "paper: transform (ms)",
       CAST(p.infer_ms AS INTEGER) AS "paper: infer (ms)",
       round((p.load_ms + p.transform_ms) / CAST(p.infer_ms AS REAL), 2) AS "paper: before / infer",
       iif(r.id IS NULL, 'not run on this device: scripts/study tables', NULL) AS "why empty"
FROM paper p FULL JOIN ours r ON r.model = p.abbr
WHERE EXISTS (SELECT 1 FROM ours)
ORDER BY p.abbr IS NULL, 1, r.setting, 2 DESC;
