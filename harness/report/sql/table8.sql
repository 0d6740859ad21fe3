-- Table 8: memory. Averages over the integrated run, accounted by kind; the process's own beside it.
-- The paper's: SmartMem in the row of preload, FlashMem in that of lc-opg.
-- Below ours, other frameworks on the same machine, whose memory is the process's.
SELECT "model", "policy", "setting", "average (MB)", "peak (MB)", "average: preload / this",
       "peak: preload / this", "MB x s", "process peak (MB)",
       "device peak (MB)", "read (MB)", "paper: average (MB)",
       "paper: SmartMem / FlashMem"
FROM (
SELECT 0 AS peer, r.place, r.form_place, r.model AS "model", r.policy AS "policy", r.setting AS "setting",
       round(r.avg_bytes / 1e6, 3) AS "average (MB)", round(r.peak_bytes / 1e6, 3) AS "peak (MB)",
       iif(r.id = p.id, NULL, round(p.avg_bytes / r.avg_bytes, 2)) AS "average: preload / this",
       iif(r.id = p.id, NULL, round(1.0 * p.peak_bytes / r.peak_bytes, 2)) AS "peak: preload / this",
       round(r.mem_byte_s / 1e6, 3) AS "MB x s",
       round(r.rss_peak_bytes / 1e6, 3) AS "process peak (MB)",
       round(r.device_peak_bytes / 1e6, 3) AS "device peak (MB)",
       round(r.bytes_read / 1e6, 3) AS "read (MB)",
       CASE r.policy WHEN 'preload' THEN CAST(paper.smartmem_mb AS INTEGER)
                     WHEN 'lc-opg' THEN CAST(paper.flashmem_mb AS INTEGER) END AS "paper: average (MB)",
       iif(r.policy = 'lc-opg', round(CAST(paper.smartmem_mb AS REAL) / paper.flashmem_mb, 2), NULL)
           AS "paper: SmartMem / FlashMem"
FROM current_run r
LEFT JOIN run p ON p.id = r.preload_id
LEFT JOIN paper_table8_memory paper ON paper.model = r.model
WHERE r.device_id = ?1 AND r.listed
UNION ALL
SELECT 1, (SELECT params FROM zoo z WHERE z.model = p.model), 0, model, policy, setting, round(avg_bytes / 1e6, 3), NULL, NULL, NULL,
       round(avg_bytes / 1e6 * (integrated_ns / 1e9), 3), round(peak_bytes / 1e6, 3), NULL, NULL, NULL, NULL
FROM current_peer p WHERE device_id = ?1
)
ORDER BY place, "model", peer, form_place, "setting", "policy" <> 'preload', "policy";
