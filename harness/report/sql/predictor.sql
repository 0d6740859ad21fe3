-- The same planner with capacities from elsewhere (plan and replay --capacities, --threshold): each
-- setting's newest run by the build of the program that ran the newest of all, by integrated latency within
-- a model and threshold.
WITH tried AS (
    SELECT r.*, s.device_id, s.program, p.objective, p.preloaded_bytes,
           substr(p.capacity_source, 1, instr(p.capacity_source, ';') - 1) AS capacities,
           substr(p.capacity_source, instr(p.capacity_source, ';') + 2) AS thresholds,
           row_number() OVER (PARTITION BY s.device_id, r.model, r.policy, r.dtype, r.path, r.kernel,
                                           r.reader, r.source, r.cache, r.memory_limit_bytes,
                                           p.m_peak_bytes, p.capacity_source
                              ORDER BY r.taken_utc DESC, s.uuid DESC, r.id DESC) AS age,
           first_value(s.program) OVER (PARTITION BY s.device_id, r.model, r.policy, r.dtype, r.path
                                        ORDER BY r.taken_utc DESC, s.uuid DESC, r.id DESC) AS build
    FROM run r JOIN session s ON s.id = r.session_id JOIN plan p ON p.id = r.plan_id
    WHERE instr(p.capacity_source, ';') > 0
)
SELECT model AS "model", policy AS "policy",
       dtype || ' ' || path || iif(kernel = 'pipelined', '', ' ' || kernel)
       || iif(memory_limit_bytes IS NULL, '', printf(' within %.0f MB', memory_limit_bytes / 1e6))
           AS "setting",
       thresholds AS "allowed slowdown - 1", capacities AS "capacities",
       round(integrated_ns / 1e6, 2) AS "integrated (ms)",
       printf('[%.2f, %.2f]', integrated_low_ns / 1e6, integrated_high_ns / 1e6) AS "interval",
       round(avg_bytes / 1e6, 1) AS "average (MB)", round(peak_bytes / 1e6, 1) AS "peak (MB)",
       round(preloaded_bytes / 1e6, 1) AS "preloaded (MB)", round(objective, 1) AS "objective",
       round(predicted_ns / 1e6, 2) AS "predicted (ms)",
       round(bound_ns / 1e6, 2) AS "disk or kernels alone (ms)", repeats AS "runs", status AS "status"
FROM tried WHERE age = 1 AND program = build AND device_id = ?1
ORDER BY model, policy, "setting", thresholds, integrated_ns;
