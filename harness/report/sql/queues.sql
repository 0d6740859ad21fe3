-- Passes over workloads: the newest of each kind. The ratios are to the newest pass under preload over
-- the same requests in the same order.
WITH pass AS (
    SELECT q.*, row_number() OVER (
               PARTITION BY q.workload, q.requests, q.order_seed, q.policy, q.preempt, q.overlap, q.dtype,
                            q.path, q.kernel, q.reader, q.source, q.memory_limit_bytes
               ORDER BY q.taken_utc DESC, q.id DESC) AS age
    FROM queue q JOIN session s ON s.id = q.session_id
    WHERE s.device_id = ?1 AND q.status = 'ok')
SELECT replace(p.workload, rtrim(p.workload, replace(p.workload, '/', '')), '') AS workload,
       p.requests, p.policy,
       p.dtype || ' ' || p.path || ' ' || p.kernel || iif(p.source = 'disk', '', ' ' || p.source)
           AS setting,
       iif(p.preempt, 'urgent ones interrupt', iif(p.overlap, 'next reads early', 'one by one')) AS mode,
       p.memory_limit_bytes / 1e6 AS "limit (MB)", p.total_ns / 1e9 AS "total (s)",
       (SELECT b.total_ns FROM pass b WHERE b.age = 1 AND b.policy = 'preload'
        AND b.workload = p.workload AND b.requests = p.requests AND b.order_seed IS p.order_seed
        AND b.dtype = p.dtype AND b.path = p.path AND b.kernel = p.kernel AND b.source = p.source
        AND NOT b.preempt ORDER BY b.overlap, b.memory_limit_bytes IS NOT NULL LIMIT 1)
           * 1.0 / p.total_ns AS "preload / this",
       p.peak_bytes / 1e6 AS "peak (MB)", p.avg_bytes / 1e6 AS "average (MB)",
       (SELECT b.avg_bytes FROM pass b WHERE b.age = 1 AND b.policy = 'preload'
        AND b.workload = p.workload AND b.requests = p.requests AND b.order_seed IS p.order_seed
        AND b.dtype = p.dtype AND b.path = p.path AND b.kernel = p.kernel AND b.source = p.source
        AND NOT b.preempt ORDER BY b.overlap, b.memory_limit_bytes IS NOT NULL LIMIT 1)
           / p.avg_bytes AS "average: preload / this",
       p.rss_peak_bytes / 1e6 AS "process peak (MB)",
       (SELECT iif(count(*) = sum(t.verified IS 'yes'), 'yes', 'no') FROM queue_step t
        WHERE t.queue_id = p.id) AS verified
FROM pass p WHERE p.age = 1
ORDER BY 1, p.requests, p.order_seed, 4, p.policy = 'preload', p.policy, p.preempt, p.memory_limit_bytes;
