-- Table 7: latency. Ours on this device beside the paper's phone (OnePlus 12, 16-bit). Ratios may be
-- compared across devices, milliseconds may not.
SELECT r.model AS "model", r.policy AS "policy", r.dtype AS "dtype", r.path AS "path",
       r.repeats AS "runs",
       round(r.init_ns / 1e6, 1) AS "init (ms)", round(r.exec_ns / 1e6, 1) AS "exec (ms)",
       round(r.integrated_ns / 1e6, 1) AS "integrated (ms)",
       round(r.integrated_low_ns / 1e6, 1) || ' to ' || round(r.integrated_high_ns / 1e6, 1)
           AS "95 % interval",
       round(r.disk_ns / 1e6, 1) AS "disk alone (ms)",
       round(r.kernel_ns / 1e6, 1) AS "kernels alone (ms)",
       round(r.integrated_ns / r.bound_ns, 2) AS "times the bound",
       round(r.predicted_ns / 1e6, 1) AS "predicted (ms)",
       round(p.integrated_ns / r.integrated_ns, 2) AS "speed-up over preload",
       round((r.disk_ns + r.kernel_ns) / r.bound_ns, 2) AS "ceiling of overlap",
       r.verified AS "verified",
       paper.smartmem_init_ms AS "paper: SmartMem init (ms)",
       paper.smartmem_exec_ms AS "paper: SmartMem exec (ms)",
       paper.flashmem_ms AS "paper: FlashMem (ms)"
FROM current_run r
LEFT JOIN current_run p ON p.policy = 'preload' AND p.session_id = r.session_id
                       AND p.model = r.model
LEFT JOIN paper_table7_latency paper ON paper.model = r.model
WHERE r.device_id = ?1
ORDER BY r.model, r.dtype, r.path, r.policy <> 'preload', r.policy;
