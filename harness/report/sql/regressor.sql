-- Out-of-fold errors of the newest regressors, all samples counted (noisy ones too).
SELECT r.target AS "target", r.dtype AS "dtype", r.path AS "path", m.scope AS "scope",
       m.samples AS "samples",
       round(100 * m.within_5pct, 1) AS "within 5 %", round(100 * m.within_10pct, 1) AS "within 10 %",
       round(100 * m.mape, 1) AS "MAPE (%)", round(100 * m.rmspe, 1) AS "RMSPE (%)",
       round(m.spearman, 3) AS "Spearman"
FROM current_regressor r JOIN metric m ON m.regressor_id = r.id
WHERE r.device_id = ?1 AND m.noisy = 1
ORDER BY r.target, r.dtype, r.path, m.scope <> 'all', m.scope;
