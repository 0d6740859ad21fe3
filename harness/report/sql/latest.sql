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
CREATE TEMP VIEW current_run AS
SELECT r.*, session.device_id
FROM run r
JOIN session ON session.id = r.session_id
WHERE r.id IN (SELECT max(r2.id) FROM run r2 JOIN session ON session.id = r2.session_id
               GROUP BY session.device_id, r2.model, r2.policy, r2.dtype, r2.path, r2.kernel,
                        r2.reader, r2.source, r2.memory_limit_bytes);
CREATE TEMP VIEW current_regressor AS
SELECT * FROM regressor
WHERE id IN (SELECT max(id) FROM regressor GROUP BY device_id, target, dtype, path);
