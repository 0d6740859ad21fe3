-- Memory over time of the newest queue: of the paper's workload if there is one. Stretches of the timeline
-- are the series' whose turn it was; rows whose label is not '-' name a step. gnuplot cuts a string at a comma
-- or a double quote, quoted or not, so names have neither.
WITH pass AS (
    SELECT q.*, replace(q.workload, rtrim(q.workload, replace(q.workload, '/', '')), '') AS file
    FROM queue q JOIN session s ON s.id = q.session_id
    WHERE s.device_id = ?1 AND q.status = 'ok'),
newest AS (
    SELECT session_id FROM pass
    ORDER BY file LIKE 'paper%' DESC, taken_utc DESC, session_id DESC LIMIT 1),
shown AS (
    SELECT p.*, p.policy || iif(p.preempt, ' preempting', '')
        || iif(p.memory_limit_bytes IS NULL, ' without a limit',
               printf(' within %.0f MB', p.memory_limit_bytes / 1e6))
        || printf(': %.1f s; mean %.0f MB', p.total_ns / 1e9, p.avg_bytes / 1e6) AS panel
    FROM pass p WHERE p.session_id IN newest),
stretch AS (
    SELECT p.panel, m.t_ns,
           lead(m.t_ns, 1, p.total_ns) OVER (PARTITION BY p.id ORDER BY m.seq) AS until_ns,
           m.staging_bytes + m.um_bytes + m.texture_bytes + m.activation_bytes + m.host_bytes AS bytes,
           m.rss_bytes,
           (SELECT t.model FROM queue_step t
            WHERE t.queue_id = p.id AND t.turn_ns <= m.t_ns AND t.end_ns >= m.t_ns
            ORDER BY t.turn_ns DESC LIMIT 1) AS model
    FROM shown p JOIN queue_memory m ON m.queue_id = p.id)
SELECT * FROM (
SELECT panel, replace(replace(coalesce(model, 'between two'), ',', ' '), char(34), ' ') AS series,
       t_ns / 1e9 AS t_s, until_ns / 1e9 AS until_s, bytes / 1e6 AS total_mb, rss_bytes / 1e6 AS rss_mb,
       '-' AS label
FROM stretch
UNION ALL
SELECT p.panel, replace(replace(t.model, ',', ' '), char(34), ' '),
       (t.turn_ns + t.end_ns) / 2e9, NULL, p.peak_bytes / 1e6, NULL,
       replace(replace(t.model, ',', ' '), char(34), ' ')
FROM shown p JOIN queue_step t ON t.queue_id = p.id
WHERE t.end_ns - t.turn_ns > 0.2 * (SELECT max(total_ns) FROM shown))
ORDER BY panel LIKE 'preload%', panel, label, t_s;
