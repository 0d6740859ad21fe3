-- Table 8: memory. Averages over the integrated run, accounted by kind; the process's own beside it.
SELECT r.model AS "model", r.policy AS "policy", r.dtype AS "dtype", r.path AS "path",
       round(r.bytes_read / 1e6, 1) AS "read (MB)",
       round(r.peak_bytes / 1e6, 1) AS "peak (MB)", round(r.avg_bytes / 1e6, 1) AS "average (MB)",
       round(r.mem_byte_s / 1e6, 1) AS "MB x s",
       round(r.rss_peak_bytes / 1e6, 1) AS "process peak above its base (MB)",
       round(p.avg_bytes / r.avg_bytes, 2) AS "average: preload / this",
       round(p.peak_bytes / r.peak_bytes, 2) AS "peak: preload / this",
       paper.smartmem_mb AS "paper: SmartMem (MB)", paper.flashmem_mb AS "paper: FlashMem (MB)",
       round(CAST(nullif(paper.smartmem_mb, '') AS REAL) / paper.flashmem_mb, 2) AS "paper: SmartMem / FlashMem"
FROM current_run r
LEFT JOIN current_run p ON p.policy = 'preload' AND p.session_id = r.session_id
                       AND p.model = r.model
LEFT JOIN paper_table8_memory paper ON paper.model = r.model
WHERE r.device_id = ?1
ORDER BY r.model, r.dtype, r.path, r.policy <> 'preload', r.policy;
