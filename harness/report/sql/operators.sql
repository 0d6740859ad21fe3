-- Out-of-fold errors of the newest regressors by operator: all samples, and those that were not noisy.
SELECT r.target || ', ' || r.dtype || ' ' || r.path AS "target",
       m.scope AS "operator",
       m.samples AS "samples", round(100 * m.within_5pct, 1) AS "within 5 %",
       round(100 * m.within_10pct, 1) AS "within 10 %", round(100 * m.mape, 1) AS "MAPE (%)",
       round(100 * m.rmspe, 1) AS "RMSPE (%)", round(m.spearman, 2) AS "Spearman",
       q.samples AS "quiet: samples", round(100 * q.within_10pct, 1) AS "quiet: within 10 %",
       round(100 * q.mape, 1) AS "quiet: MAPE (%)"
FROM current_regressor r
JOIN metric m ON m.regressor_id = r.id AND m.noisy = 1
LEFT JOIN metric q ON q.regressor_id = r.id AND q.noisy = 0 AND q.scope = m.scope
WHERE r.device_id = ?1 AND m.scope NOT IN ('all', 'elemental', 'reusable', 'hierarchical')
ORDER BY r.target, r.dtype, r.path, m.scope;
