-- Which model fits a limit of memory, preloaded and streamed, as planned (plan --memory): the newest plan of
-- each. Figure 10's phones have 6, 8 and 16 GB; nothing was run for this table. Streamed: layer by layer
-- (always-next), which needs no capacities.
WITH newest AS (
    SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY model, dtype, policy, memory_limit_bytes
                                     ORDER BY made_utc DESC, id DESC) AS age
        FROM plan
        WHERE memory_limit_bytes IN (6000000000, 8000000000, 16000000000) AND dtype <> ''
          AND policy IN ('preload', 'always-next') AND (device_id = ?1 OR device_id IS NULL)
          AND NOT EXISTS (SELECT 1 FROM run r WHERE r.plan_id = plan.id))
    WHERE age = 1
), cell AS (
    SELECT model, dtype, policy = 'preload' AS preload, memory_limit_bytes / 1000000000 AS gb,
           iif(status = 'INFEASIBLE', 'no', 'yes') AS fits, peak_bytes / 1e9 AS held,
           (SELECT sum(w.bytes) FROM plan_weight w WHERE w.plan_id = newest.id) / 1e9 AS weights
    FROM newest
)
SELECT model || ' ' || dtype AS "model", round(max(weights), 2) AS "weights (GB)",
       round(max(iif(preload, held, NULL)), 2) AS "preloaded: held (GB)",
       max(iif(preload AND gb = 6, fits, NULL)) AS "in 6 GB", max(iif(preload AND gb = 8, fits, NULL)) AS "in 8 GB",
       max(iif(preload AND gb = 16, fits, NULL)) AS "in 16 GB",
       round(max(iif(preload, NULL, held)), 2) AS "streamed: held (GB)",
       max(iif(NOT preload AND gb = 6, fits, NULL)) AS "streamed in 6 GB",
       CASE model WHEN 'GPTN-1.3B' THEN 'preloaded (SmartMem): not in 6 and 8 GB; streamed: in all'
                  ELSE iif(model IN (SELECT abbr FROM paper_table6_models), 'streamed: in all', NULL) END AS "paper"
FROM cell GROUP BY model, dtype ORDER BY max(weights);
