-- Out-of-fold errors of the newest regressors, all samples together and by class.
SELECT what AS "target", iif(scope = 'all', 'all', 'class ' || scope) AS "scope", samples AS "samples",
       within_5 AS "within 5 %", within_10 AS "within 10 %", mape AS "MAPE (%)", rmspe AS "RMSPE (%)",
       spearman AS "Spearman", quiet_samples AS "quiet: samples", quiet_10 AS "quiet: within 10 %",
       quiet_mape AS "quiet: MAPE (%)"
FROM current_metric
WHERE device_id = ?1 AND scope IN ('all', 'elemental', 'reusable', 'hierarchical')
ORDER BY target, dtype, path, scope <> 'all', scope;
