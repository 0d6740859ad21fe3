-- Figure 8: latency against memory. Planned (plan --pareto): the newest front of the policy 'latency' (one
-- rate of the disk, one size of chunks) with the bound that it proved, at the limits; measured: runs within limits, and runs of lc-opg under several
-- lambda, M_peak and mu, at the peak that they held. Integrated above, execution alone below.
-- gnuplot cuts a string at a comma or a double quote, so a panel's name has neither.
WITH limited AS ( -- a queue plans its models within one limit, a run within its own: one point is no front
    SELECT *, count(*) OVER (PARTITION BY model, dtype, path, disk_bytes_per_s, chunk_bytes) AS points
    FROM (SELECT *, row_number() OVER (PARTITION BY model, dtype, path, chunk_bytes, disk_bytes_per_s,
                                                    memory_limit_bytes
                                       ORDER BY made_utc DESC, id DESC) AS age
          FROM plan
          WHERE policy = 'latency' AND latency_bound_ns > 0 AND memory_limit_bytes > 0
            AND (device_id = ?1 OR device_id IS NULL)
            AND NOT EXISTS (SELECT 1 FROM run WHERE run.plan_id = plan.id))
    WHERE age = 1
), front AS (
    SELECT * FROM (SELECT *, first_value(disk_bytes_per_s) OVER newest AS rate,
                          first_value(chunk_bytes) OVER newest AS chunk
                   FROM limited WHERE points > 1
                   WINDOW newest AS (PARTITION BY model, dtype, path ORDER BY made_utc DESC, id DESC))
    WHERE disk_bytes_per_s = rate AND chunk_bytes = chunk
), series AS (
    SELECT r.*, count(*) OVER (PARTITION BY r.model, r.dtype, r.path, r.program) AS of_build
    FROM current_run r
    WHERE r.device_id = ?1 AND r.source = 'disk' AND r.cache = 'cold' AND r.reader = 'ahead'
      AND r.policy IN ('latency', 'lc-opg') AND r.kernel = 'pipelined'
      AND (r.given GLOB '--split --mu [0-9.]*'
           OR (r.given = '' OR r.given GLOB '--lambda [0-9.]*' OR r.given GLOB '--m-peak [0-9a-zA-Z.]*')
              AND instr(substr(r.given, 3), '--') = 0) -- no other option beside it
), swept AS ( -- more than one limit, or more than one lambda or M_peak, all by one build of the program
    SELECT *, count(*) OVER (PARTITION BY model, dtype, path, kernel, policy) AS n
    FROM (SELECT *, first_value(program) OVER (PARTITION BY model, dtype, path
                                               ORDER BY of_build DESC, taken_utc DESC) AS build FROM series)
    WHERE program = build
), preloaded AS (
    SELECT * FROM current_run r
    WHERE device_id = ?1 AND policy = 'preload' AND source = 'disk' AND cache = 'cold'
      AND memory_limit_bytes IS NULL AND given = '' AND kernel = 'pipelined' AND reader = 'ahead'
      AND NOT EXISTS (SELECT 1 FROM swept s WHERE s.model = r.model AND s.dtype = r.dtype
                      AND s.path = r.path AND s.program <> r.program)
), point AS (
    SELECT model, dtype, path, 1 AS place, 'planned' AS series, memory_limit_bytes / 1e6 AS mb,
           predicted_ns / 1e6 AS ms, NULL AS low, NULL AS high, '' AS how
    FROM front
    UNION ALL
    SELECT model, dtype, path, 2, 'proven bound', memory_limit_bytes / 1e6, latency_bound_ns / 1e6,
           NULL, NULL, ''
    FROM front
    UNION ALL
    SELECT model, dtype, path, iif(policy = 'latency', 3, 4),
           policy || iif(given GLOB '--split*', ' split', ''), peak_bytes / 1e6,
           integrated_ns / 1e6, integrated_low_ns / 1e6, integrated_high_ns / 1e6,
           coalesce(nullif(given, ''), iif(memory_limit_bytes, printf('--memory %.0fMB', memory_limit_bytes / 1e6), NULL), 'default')
    FROM swept WHERE n > 1
    UNION ALL
    SELECT model, dtype, path, 5, 'preload', peak_bytes / 1e6, integrated_ns / 1e6,
           integrated_low_ns / 1e6, integrated_high_ns / 1e6, ''
    FROM preloaded
), execution AS (
    SELECT model, dtype, path, iif(policy = 'latency', 3, 4) AS place,
           policy || iif(given GLOB '--split*', ' split', '') AS series, peak_bytes / 1e6 AS mb,
           exec_ns / 1e6 AS ms,
           coalesce(nullif(given, ''), iif(memory_limit_bytes, printf('--memory %.0fMB', memory_limit_bytes / 1e6), NULL), 'default') AS how
    FROM swept WHERE n > 1
    UNION ALL
    SELECT model, dtype, path, 5, 'preload', peak_bytes / 1e6, exec_ns / 1e6, ''
    FROM preloaded
), all_points AS (
    SELECT 'integrated' AS what, * FROM point
    UNION ALL
    SELECT 'execution alone', model, dtype, path, place, series, mb, ms, NULL, NULL, how FROM execution
)
SELECT replace(replace(model, ',', ' '), char(34), ' ') || ' ' || dtype || ' ' || path || ': ' || what
           AS panel, series, mb, ms, low, high, how
FROM all_points a
WHERE EXISTS (SELECT 1 FROM front f WHERE f.model = a.model AND f.dtype = a.dtype AND f.path = a.path)
   OR EXISTS (SELECT 1 FROM swept s WHERE s.n > 2 AND s.model = a.model AND s.dtype = a.dtype
              AND s.path = a.path)
ORDER BY model, dtype, path, what DESC, place, mb;
