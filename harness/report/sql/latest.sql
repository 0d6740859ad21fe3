-- Views for this connection alone: what is current. Run before any other query; ?1 is unused here.
-- A configuration counts once, by its newest good sample; a replay by its newest run.
CREATE TEMP VIEW current_sample AS
SELECT s.*, session.device_id, c.op, c.class, c.shape, c.dtype, c.path, c.kernel, c.form, c.variant,
       c.extra_ratio, c.load_bytes
FROM sample s
JOIN session ON session.id = s.session_id
JOIN config c ON c.id = s.config_id
WHERE s.id IN (SELECT max(s2.id) FROM sample s2 JOIN session ON session.id = s2.session_id
               WHERE s2.status IN ('ok', 'noisy') GROUP BY s2.config_id, session.device_id);
-- `setting` names what is not the default. preload_id: the preload that took turns with this run.
CREATE TEMP VIEW current_run AS
SELECT r.*, session.device_id,
       r.dtype || ' ' || r.path || iif(r.cache = 'cold', '', ' ' || r.cache)
       || iif(r.source = 'disk', '', ' ' || r.source) || iif(r.reader = 'ahead', '', ' ' || r.reader)
       || iif(r.kernel = 'pipelined', '', ' ' || r.kernel)
       || iif(r.memory_limit_bytes IS NULL, '', printf(' within %.0f MB', r.memory_limit_bytes / 1e6))
           AS setting,
       (SELECT max(p.id) FROM run p
        WHERE p.policy = 'preload' AND p.session_id = r.session_id AND p.model = r.model
          AND p.dtype = r.dtype AND p.path = r.path AND p.source = r.source AND p.cache = r.cache)
           AS preload_id
FROM run r
JOIN session ON session.id = r.session_id
WHERE r.id IN (SELECT max(r2.id) FROM run r2 JOIN session ON session.id = r2.session_id
               GROUP BY session.device_id, r2.model, r2.policy, r2.dtype, r2.path, r2.kernel,
                        r2.reader, r2.source, r2.cache, r2.memory_limit_bytes);
CREATE TEMP VIEW current_regressor AS
SELECT * FROM regressor
WHERE id IN (SELECT max(id) FROM regressor GROUP BY device_id, target, dtype, path);
