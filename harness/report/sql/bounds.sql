-- How near the bound: both controls are measured in the rounds of the run, each without the other.
-- The paper's bound: 16-bit weights at 1.5 GB/s (Figure 1) against SmartMem's execution.
WITH paper AS (
    SELECT t.abbr AS model, CAST(l.flashmem_ms AS REAL) AS ms, CAST(l.smartmem_exec_ms AS REAL) AS exec,
           2 * t.params_m / 1.5 AS disk
    FROM paper_table6_models t JOIN paper_table7_latency l ON l.model = t.abbr
)
SELECT r.model AS "model", r.policy AS "policy", r.setting AS "setting",
       round(r.disk_ns / 1e6, 3) AS "disk alone (ms)", round(r.kernel_ns / 1e6, 3) AS "kernels alone (ms)",
       round(r.integrated_ns / 1e6, 3) AS "integrated (ms)",
       round(r.integrated_ns / r.bound_ns, 2) AS "integrated / bound",
       round(r.least_ns / 1e6, 3) AS "least of this plan (ms)", round(r.least_ns / r.bound_ns, 2) AS "least / bound",
       round((r.disk_ns + r.kernel_ns) / r.bound_ns, 2) AS "ceiling of overlap",
       round((r.disk_ns + r.kernel_ns) / r.integrated_ns, 2) AS "(disk + kernels) / integrated",
       iif(r.policy = 'lc-opg', round(p.ms / max(p.disk, p.exec), 2), NULL) AS "paper: integrated / bound",
       iif(r.policy = 'lc-opg', round((p.disk + p.exec) / max(p.disk, p.exec), 2), NULL)
           AS "paper: ceiling of overlap"
FROM current_run r LEFT JOIN paper p ON p.model = r.model
WHERE r.device_id = ?1 AND r.listed
ORDER BY r.place, r.model, r.form_place, r.setting, r.policy <> 'preload', r.policy;
