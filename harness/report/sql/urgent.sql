-- Urgent requests of the newest session that took them both ways: from arrival to the last output.
WITH pass AS (
    SELECT q.* FROM queue q JOIN session s ON s.id = q.session_id
    WHERE s.device_id = ?1 AND q.status = 'ok'),
newest AS (SELECT session_id FROM pass WHERE preempt ORDER BY taken_utc DESC, id DESC LIMIT 1)
SELECT replace(f.workload, rtrim(f.workload, replace(f.workload, '/', '')), '') AS workload,
       a.step, a.model, a.arrive_ns / 1e6 AS "arrives (ms)", b.alone_ns / 1e6 AS "alone (ms)",
       (a.end_ns - a.arrive_ns) / 1e6 AS "in its turn (ms)", (b.end_ns - b.arrive_ns) / 1e6 AS "interrupting (ms)",
       (a.end_ns - a.arrive_ns) * 1.0 / (b.end_ns - b.arrive_ns) AS "in turn / interrupting",
       (SELECT t.model || ', layer ' || t.paused_layer FROM queue_step t
        WHERE t.queue_id = p.id AND t.paused_layer IS NOT NULL AND t.turn_ns <= b.turn_ns
        AND t.end_ns >= b.end_ns) AS interrupted,
       f.total_ns / 1e6 AS "queue in turn (ms)", p.total_ns / 1e6 AS "queue interrupted (ms)", b.verified
FROM pass p
JOIN pass f ON f.session_id = p.session_id AND f.policy = p.policy AND NOT f.preempt
     AND f.memory_limit_bytes IS p.memory_limit_bytes
JOIN queue_step a ON a.queue_id = f.id AND a.priority > 0
JOIN queue_step b ON b.queue_id = p.id AND b.step = a.step
WHERE p.preempt AND p.session_id IN newest
ORDER BY p.policy, a.step;
