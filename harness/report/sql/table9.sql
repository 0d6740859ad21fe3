-- Table 9: energy. Joules of one run by the device's own counter; power is those over the integrated time.
-- The paper prints power and energy for DeepViT and SD-UNet; their product is checked beside.
WITH paper AS (
    SELECT 'DeepViT' AS model, framework, CAST(deepvit_w AS REAL) AS w, CAST(deepvit_j AS REAL) AS j
    FROM paper_table9_energy
    UNION ALL
    SELECT 'SD-UNet', framework, CAST(sdunet_w AS REAL), CAST(sdunet_j AS REAL) FROM paper_table9_energy
), beside AS (
    SELECT p.model, iif(p.framework = 'FlashMem', 'lc-opg', 'preload') AS policy, p.w, p.j,
           p.w * CASE p.framework WHEN 'FlashMem' THEN l.flashmem_ms
                                  ELSE l.smartmem_init_ms + l.smartmem_exec_ms END / 1e3 AS product
    FROM paper p JOIN paper_table7_latency l ON l.model = p.model
    WHERE p.framework IN ('FlashMem', 'SmartMem')
), ours AS (
    SELECT * FROM current_run
    WHERE device_id = ?1 AND listed AND cache = 'cold' AND energy_j IS NOT NULL
)
SELECT coalesce(r.model, b.model) AS "model", coalesce(r.policy, b.policy) AS "policy",
       r.setting AS "setting", round(r.energy_j / (r.integrated_ns / 1e9), 2) AS "power (W)",
       round(r.energy_j, 3) AS "energy of a run (J)",
       iif(r.id IS NULL, NULL, round(q.energy_j / r.energy_j, 2)) AS "energy: preload / this",
       b.w AS "paper: power (W)", b.j AS "paper: energy (J)", round(b.product, 1) AS "paper: power x latency (J)",
       CASE WHEN r.id IS NULL AND EXISTS (SELECT 1 FROM ours) THEN 'not run on this device: scripts/study tables'
            WHEN r.id IS NULL THEN coalesce((SELECT max(substr(e, 1, instr(e || ';', ';') - 1))
                                             FROM (SELECT substr(note, instr(note, 'energy: ')) AS e FROM current_run
                                                   WHERE device_id = ?1 AND instr(note, 'energy: '))),
                                            'this device does not tell') END AS "why empty"
FROM ours r LEFT JOIN run q ON q.id = r.preload_id AND q.id <> r.id
FULL JOIN beside b ON b.model = r.model AND b.policy = r.policy
WHERE EXISTS (SELECT 1 FROM current_run WHERE device_id = ?1)
ORDER BY b.model IS NULL, 1, r.setting, 2 DESC;
