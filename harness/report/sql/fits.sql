-- Which model fits a limit of memory under which policy, as planned (plan --memory): the newest plan of
-- each. Figure 10's phones have 6, 8 and 16 GB; nothing was run for this table.
WITH newest AS (
    SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY model, dtype, policy, memory_limit_bytes
                                     ORDER BY made_utc DESC, id DESC) AS age
        FROM plan
        WHERE memory_limit_bytes IN (6000000000, 8000000000, 16000000000) AND dtype <> ''
          AND (device_id = ?1 OR device_id IS NULL) AND NOT EXISTS (SELECT 1 FROM run r WHERE r.plan_id = plan.id))
    WHERE age = 1
), cell AS (
    SELECT n.model, n.dtype, n.policy, n.memory_limit_bytes AS m,
           CASE n.status WHEN 'INFEASIBLE' THEN 'no'
                         ELSE printf('yes, %.2f GB', n.peak_bytes / 1e9) END AS text,
           (SELECT sum(w.bytes) FROM plan_weight w WHERE w.plan_id = n.id) AS weights
    FROM newest n
)
SELECT model || ' ' || dtype AS "model", policy AS "policy", round(max(weights) / 1e9, 2) AS "weights (GB)",
       max(iif(m = 6000000000, text, NULL)) AS "6 GB", max(iif(m = 8000000000, text, NULL)) AS "8 GB",
       max(iif(m = 16000000000, text, NULL)) AS "16 GB",
       CASE WHEN model = 'GPTN-1.3B' AND policy = 'preload' THEN 'not on 6 and 8 GB (SmartMem)'
            WHEN policy = 'lc-opg' AND model IN (SELECT abbr FROM paper_table6_models)
            THEN 'every model, when streamed' END AS "paper"
FROM cell GROUP BY model, dtype, policy
ORDER BY max(weights), model, dtype, policy <> 'preload', policy;
