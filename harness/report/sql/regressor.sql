-- Out-of-fold errors of the newest regressors: all samples, and those that were not noisy.
SELECT r.target || ', ' || r.dtype || ' ' || r.path AS "target",
       CASE WHEN m.scope = 'all' THEN 'all'
            WHEN m.scope IN ('elemental', 'reusable', 'hierarchical') THEN 'class ' || m.scope
            ELSE 'operator ' || m.scope END AS "scope",
       m.samples AS "samples", round(100 * m.within_5pct, 1) AS "within 5 %",
       round(100 * m.within_10pct, 1) AS "within 10 %", round(100 * m.mape, 1) AS "MAPE (%)",
       round(100 * m.rmspe, 1) AS "RMSPE (%)", round(m.spearman, 2) AS "Spearman",
       q.samples AS "quiet: samples", round(100 * q.within_10pct, 1) AS "quiet: within 10 %",
       round(100 * q.mape, 1) AS "quiet: MAPE (%)"
FROM current_regressor r
JOIN metric m ON m.regressor_id = r.id AND m.noisy = 1
LEFT JOIN metric q ON q.regressor_id = r.id AND q.noisy = 0 AND q.scope = m.scope
WHERE r.device_id = ?1
ORDER BY r.target, r.dtype, r.path,
         CASE WHEN m.scope = 'all' THEN 0
              WHEN m.scope IN ('elemental', 'reusable', 'hierarchical') THEN 1 ELSE 2 END, m.scope;
