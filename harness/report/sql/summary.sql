-- What came out, in sentences, over all models. Every number is computed here; digits follow the size.
WITH way AS ( -- streaming without a limit, by how weights come to the kernels and what planned it
    SELECT CASE WHEN r.kernel = 'direct' THEN 3 WHEN r.policy = 'lc-opg' THEN 1 ELSE 2 END AS way,
           r.p_ms / r.ms AS t, r.integrated_high_ns < r.p_low AS faster, r.integrated_low_ns > r.p_high AS slower,
           r.p_avg / r.avg AS b, (r.disk_ns + r.kernel_ns) / r.bound_ns AS ceiling
    FROM current_pair r
    WHERE r.device_id = ?1 AND r.preload_id IS NOT NULL AND r.memory_limit_bytes IS NULL AND r.cache = 'cold'
      AND r.policy IN ('lc-opg', 'latency')
), limited AS ( -- within a limit of memory, beside the newest preload without one
    SELECT r.model, r.integrated_ns / r.bound_ns AS t,
           (SELECT max(p.peak_bytes) FROM current_run p
            WHERE p.device_id = r.device_id AND p.model = r.model AND p.dtype = r.dtype AND p.path = r.path
              AND p.kernel = r.kernel AND p.policy = 'preload' AND p.listed AND p.cache = 'cold'
              AND p.memory_limit_bytes IS NULL) * 1.0 / r.peak_bytes AS b
    FROM current_run r
    WHERE r.device_id = ?1 AND r.listed AND r.cache = 'cold' AND r.memory_limit_bytes IS NOT NULL
      AND r.policy = 'latency' AND r.bound_ns > 0
), told AS ( -- whether a run's prediction was within what is aimed at
    SELECT CASE WHEN source <> 'disk' THEN 3 WHEN kernel = 'direct' THEN 1 ELSE 2 END AS way,
           abs(predicted_ns / integrated_ns - 1) <= (SELECT iif(type = 'cpu', 0.15, 0.1) FROM device WHERE id = ?1) AS near
    FROM current_run WHERE device_id = ?1 AND predicted_ns > 0
), capacities AS ( -- one planner, told otherwise what layers can carry: see predictor.sql
    SELECT r.model, p.policy, substr(p.capacity_source, 1, instr(p.capacity_source, ';') - 1) AS source,
           substr(p.capacity_source, instr(p.capacity_source, ';') + 2) AS thresholds, r.integrated_ns AS ns,
           r.integrated_low_ns AS low, r.integrated_high_ns AS high, r.bound_ns AS bound,
           row_number() OVER (PARTITION BY r.model, p.policy, r.dtype, r.path, p.capacity_source
                              ORDER BY r.taken_utc DESC, r.id DESC) AS age
    FROM run r JOIN session s ON s.id = r.session_id JOIN plan p ON p.id = r.plan_id
    WHERE s.device_id = ?1 AND instr(p.capacity_source, ';') > 0
), pass AS (
    SELECT q.* FROM queue q JOIN session s ON s.id = q.session_id WHERE s.device_id = ?1 AND q.status = 'ok'
), line (part, name, text) AS (
    SELECT 0, way,
           CASE way WHEN 1 THEN 'The paper''s plan (lc-opg), weights moved by kernels: '
                    WHEN 2 THEN 'Planned for time (latency), weights moved by kernels: '
                    ELSE 'Read in place (direct), nothing moved: ' END
           || printf('%.2f to %.2f times as fast as preload (geometric mean %.2f of %d; shown in %d, slower in %d), with '
                     || '%.2f to %.2f times less memory on average. Overlap could gain at most %.2f to %.2f times over a '
                     || 'preload that wastes nothing.', min(t), max(t), exp(avg(ln(t))), count(*), sum(faster),
                     sum(slower), min(b), max(b), min(ceiling), max(ceiling))
    FROM way GROUP BY way
    UNION ALL
    SELECT 0, 4, printf('Within a limit of memory: %.2f to %.2f times the larger of all reads and all kernels alone, on %d '
                        || 'models in %d settings', min(t), max(t), count(DISTINCT model), count(*))
                 || coalesce(printf('; at its peak %.1f to %.1f times less than preload.', min(b), max(b)), '.')
    FROM limited HAVING count(*) > 0
    UNION ALL
    SELECT 0, 5, printf('One after another, %d requests: %.1f s within %.0f MB, preloaded %.1f s and %.0f MB at most; %.2f '
                        || 'times as fast, %.2f times less memory on average.', q.requests, q.total_ns / 1e9,
                        q.memory_limit_bytes / 1e6, b.total_ns / 1e9, b.peak_bytes / 1e6,
                        1.0 * b.total_ns / q.total_ns, b.avg_bytes / q.avg_bytes)
    FROM (SELECT *, max(taken_utc) FROM pass WHERE policy <> 'preload' AND NOT preempt AND workload LIKE '%paper%') q
    JOIN pass b ON b.session_id = q.session_id AND b.policy = 'preload' AND NOT b.preempt
    UNION ALL
    SELECT 2, '', printf('Predicted integrated latency is within %s of the measured: ',
                         (SELECT iif(type = 'cpu', '15 %', '10 %') FROM device WHERE id = ?1))
                  || group_concat(t, ', ') || ' runs.'
    FROM (SELECT CASE way WHEN 1 THEN 'read in place' WHEN 2 THEN 'moved by kernels' ELSE 'from emulated disks' END
                 || printf(' %d of %d', sum(near), count(*)) AS t FROM told GROUP BY way ORDER BY way)
    HAVING count(*) > 0
    UNION ALL
    SELECT 2, 'c' || f.model || f.thresholds,
           printf('Where capacities come from (%s, %s, %s): %s took %.0f ms [%.0f, %.0f], %s %.0f [%.0f, %.0f], the most of %d: %s.',
                  f.model, f.policy, f.thresholds, f.source, f.ns / 1e6, f.low / 1e6, f.high / 1e6, l.source, l.ns / 1e6,
                  l.low / 1e6, l.high / 1e6, l.n,
                  CASE WHEN f.high >= l.low THEN 'no difference shown'
                       WHEN f.high / f.bound < l.low / l.bound THEN 'it matters'
                       ELSE printf('no more than disk and kernels alone changed, %.0f and %.0f then',
                                   f.bound / 1e6, l.bound / 1e6) END)
    FROM (SELECT *, min(ns) FROM capacities WHERE age = 1 GROUP BY model, policy, thresholds) f
    JOIN (SELECT *, max(ns), count(*) AS n FROM capacities WHERE age = 1 GROUP BY model, policy, thresholds) l
        USING (model, policy, thresholds)
    WHERE l.n > 2
    UNION ALL
    SELECT 2, 'd' || r.dtype || r.path,
           printf('Predicting shapes never seen (%s %s): latency within 10 %% for %.0f %% of %d kernels',
                  r.dtype, r.path, 100 * m.within_10pct, m.samples)
           || coalesce((SELECT printf(', slowdown under load for %.0f %% of %d samples', 100 * sm.within_10pct,
                                      sm.samples)
                        FROM current_regressor s
                        JOIN metric sm ON sm.regressor_id = s.id AND sm.scope = 'all' AND sm.noisy = 1
                        WHERE s.device_id = r.device_id AND s.target = 'slowdown'
                          AND s.dtype = r.dtype AND s.path = r.path), '') || '.'
    FROM current_regressor r
    JOIN metric m ON m.regressor_id = r.id AND m.scope = 'all' AND m.noisy = 1
    WHERE r.device_id = ?1 AND r.target = 'latency'
    UNION ALL
    SELECT 3, '', printf('Measured on %s (%s %s), host %s with %d cores; %d configurations swept, %d of '
                         || 'them noisy.', d.name, d.platform, d.driver, s.cpu, s.cpus,
                         (SELECT count(*) FROM current_sample WHERE device_id = ?1),
                         (SELECT count(*) FROM current_sample WHERE device_id = ?1 AND status = 'noisy'))
    FROM device d JOIN session s ON s.device_id = d.id
    WHERE d.id = ?1 AND s.id = (SELECT id FROM session WHERE device_id = ?1
                                ORDER BY started_utc DESC, uuid DESC LIMIT 1)
)
SELECT text AS "summary" FROM line ORDER BY part, name;
