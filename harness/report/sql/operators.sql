-- The same by operator, beside what a roofline and a second measurement predict of it (train --compare).
SELECT m.what AS "target", m.scope AS "operator", m.samples AS "samples", m.within_5 AS "within 5 %",
       m.within_10 AS "within 10 %", m.mape AS "MAPE (%)",
       m.quiet_samples AS "quiet: samples", m.quiet_10 AS "quiet: within 10 %", m.quiet_mape AS "quiet: MAPE (%)",
       max(iif(s.method = 'roofline', round(100 * s.within_10pct, 1), NULL)) AS "roofline: within 10 %",
       max(iif(s.method = 'measured', round(100 * s.within_10pct, 1), NULL)) AS "measured twice: within 10 %"
FROM current_metric m
LEFT JOIN current_score s ON s.device_id = m.device_id AND s.target = m.target AND s.dtype = m.dtype
      AND s.path = m.path AND s.scope = m.scope AND s.method IN ('roofline', 'measured')
WHERE m.device_id = ?1 AND m.scope NOT IN ('all', 'elemental', 'reusable', 'hierarchical')
GROUP BY m.target, m.dtype, m.path, m.scope
ORDER BY m.target, m.dtype, m.path, m.scope;
