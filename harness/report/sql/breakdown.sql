-- Figure 7 in full: each step as the replay that it is, on the models that ran as step 5 or 3. A step's
-- run is the newest of its configuration; lower rows of a model are the whole with one thing left out.
WITH model AS (
    SELECT DISTINCT model, dtype, path FROM current_run
    WHERE device_id = ?1 AND source = 'disk' AND memory_limit_bytes IS NULL AND cache = 'cold'
      AND policy = 'lc-opg' AND kernel = 'naive' AND given = ''
)
SELECT m.model || ' (' || m.dtype || ' ' || m.path || ')' AS "model", s.step AS "configuration",
       s.means AS "what it is", round(r.integrated_ns / 1e6, 3) AS "integrated (ms)",
       iif(r.id IS NULL, NULL, printf('%.*f to %.*f', r.integrated_ns < 1e8, r.integrated_low_ns / 1e6,
                                      r.integrated_ns < 1e8, r.integrated_high_ns / 1e6)) AS "95 % interval (ms)",
       round(r.exec_ns / 1e6, 3) AS "exec (ms)", round(r.avg_bytes / 1e6, 3) AS "average (MB)",
       round(r.peak_bytes / 1e6, 3) AS "peak (MB)",
       (SELECT nullif(count(*), 0) FROM run_layer l WHERE l.run_id = r.id) AS "layers",
       round(r.bound_ns / 1e6, 3) AS "bound (ms)",
       CASE WHEN r.id IS NULL THEN 'not run: scripts/study breakdown'
            WHEN r.program <> first_value(r.program) OVER (PARTITION BY m.model, m.dtype, m.path ORDER BY s.place <> 5)
            THEN 'of another build than step 5: ' || r.program END AS "note"
FROM model m JOIN breakdown_step s
LEFT JOIN current_run r
       ON r.device_id = ?1 AND r.model = m.model AND r.dtype = m.dtype AND r.path = m.path
      AND r.policy = s.policy AND r.given = s.options AND (s.kernel IS NULL OR r.kernel = s.kernel)
      AND r.reader = 'ahead' AND r.source = 'disk' AND r.cache = 'cold' AND r.memory_limit_bytes IS NULL
GROUP BY m.model, m.dtype, m.path, s.place -- of several kernels, one
ORDER BY 1, s.place;
