-- How many configurations ended how, by operator.
SELECT c.class AS "class", c.op AS "operator", count(*) AS "samples",
       sum(s.status = 'ok') AS "ok", sum(s.status = 'noisy') AS "noisy",
       sum(s.status NOT IN ('ok', 'noisy')) AS "failed",
       count(DISTINCT c.shape) AS "shapes",
       sum(s.repeats * (1 + (s.slowdown IS NOT NULL))) AS "timed launches",
       round(sum(s.measure_ns) / 1e9, 1) AS "measuring (s)"
FROM sample s JOIN config c ON c.id = s.config_id JOIN session ON session.id = s.session_id
WHERE session.device_id = ?1
GROUP BY c.op ORDER BY c.class, c.op;
