-- Table 7: latency. Ours on this device beside the paper's phone (OnePlus 12, 16-bit): SmartMem, its
-- strongest baseline, in the row of preload, and FlashMem in that of lc-opg. Below ours, other
-- frameworks on the same machine.
SELECT "model", "policy", "setting", "runs", "init (ms)", "exec (ms)", "integrated (ms)",
       "95 % interval (ms)", "mean (ms)", "preload / this", "rounds won", "ceiling of overlap",
       "integrated / bound", "verified", "paper (ms)",
       "paper: SmartMem / FlashMem"
FROM (
SELECT 0 AS peer, r.place, r.form_place, r.model AS "model", r.policy AS "policy", r.setting AS "setting", r.repeats AS "runs",
       round(r.init_ns / 1e6, 3) AS "init (ms)", round(r.exec_ns / 1e6, 3) AS "exec (ms)",
       round(r.integrated_ns / 1e6, 3) AS "integrated (ms)",
       printf('%.*f to %.*f', r.integrated_ns < 1e8, r.integrated_low_ns / 1e6,
              r.integrated_ns < 1e8, r.integrated_high_ns / 1e6) AS "95 % interval (ms)",
       round(r.integrated_mean_ns / 1e6, 3) AS "mean (ms)",
       iif(r.id = p.id, NULL, round(p.integrated_ns / r.integrated_ns, 2)) AS "preload / this",
       (SELECT sum(a.integrated_ns < b.integrated_ns) || ' of ' || count(*)
        FROM run_repeat a JOIN run_repeat b ON b.run_id = p.id AND b.seq = a.seq
        WHERE a.run_id = r.id AND r.id <> p.id) AS "rounds won",
       round((r.disk_ns + r.kernel_ns) / r.bound_ns, 2) AS "ceiling of overlap",
       round(r.integrated_ns / r.bound_ns, 2) AS "integrated / bound",
       r.verified AS "verified",
       CASE r.policy WHEN 'preload' THEN paper.smartmem_init_ms + paper.smartmem_exec_ms
                     WHEN 'lc-opg' THEN CAST(paper.flashmem_ms AS INTEGER) END AS "paper (ms)",
       iif(r.policy = 'lc-opg', round((paper.smartmem_init_ms + paper.smartmem_exec_ms)
                                      / CAST(paper.flashmem_ms AS REAL), 2), NULL)
           AS "paper: SmartMem / FlashMem"
FROM current_run r
LEFT JOIN run p ON p.id = r.preload_id
LEFT JOIN paper_table7_latency paper ON paper.model = r.model
WHERE r.device_id = ?1 AND r.listed
UNION ALL
SELECT 1, (SELECT params FROM zoo z WHERE z.model = p.model), 0, model, policy, setting, rounds, round((coalesce(load_ns, 0) + init_ns) / 1e6, 3),
       round(first_ns / 1e6, 3), round(integrated_ns / 1e6, 3),
       iif(status = 'ok', printf('%.*f to %.*f', integrated_ns < 1e8, integrated_low_ns / 1e6,
                                 integrated_ns < 1e8, integrated_high_ns / 1e6), NULL),
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM current_peer p WHERE device_id = ?1
)
ORDER BY place, "model", peer, form_place, "setting", "policy" <> 'preload', "policy";
