-- The memory timeline of the median run of each policy, all kinds together. gnuplot cuts a string at a
-- comma or a double quote, quoted or not, so the panel's name has neither.
SELECT replace(replace(r.model, ',', ' '), char(34), ' ') || ' (' || r.setting || ')' AS panel,
       r.policy AS series, m.t_ns / 1e6 AS t_ms,
       (m.staging_bytes + m.um_bytes + m.texture_bytes + m.activation_bytes + m.host_bytes) / 1e6
           AS total_mb,
       m.texture_bytes / 1e6 AS texture_mb, m.um_bytes / 1e6 AS um_mb,
       m.activation_bytes / 1e6 AS activation_mb, m.rss_bytes / 1e6 AS rss_mb
FROM current_run r JOIN run_memory m ON m.run_id = r.id
WHERE r.device_id = ?1 AND r.listed AND r.memory_limit_bytes IS NULL
  AND r.kernel <> 'direct' -- reads into one room that is there from the first byte on: a level line
ORDER BY r.place, 1, r.policy <> 'preload', 2, r.id, m.seq;
