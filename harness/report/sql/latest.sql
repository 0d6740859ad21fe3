-- Views for this connection alone: what is current. Run before any other query; ?1 is unused here.
-- A configuration counts once, by its newest good sample; a replay by its newest run. Newest by time,
-- not by id: databases merge. `report --where` replaces a view by those of its rows that it keeps.
CREATE TEMP VIEW current_sample AS
SELECT s.*, c.op, c.class, c.shape, c.dtype, c.path, c.kernel, c.form, c.variant, c.gws, c.lws, c.tile,
       c.extra_ratio, c.load_bytes, c.cache
FROM (SELECT s.*, session.device_id,
             row_number() OVER (PARTITION BY s.config_id, session.device_id
                                ORDER BY s.taken_utc DESC, session.uuid DESC, s.id DESC) AS age
      FROM sample s JOIN session ON session.id = s.session_id
      WHERE s.status IN ('ok', 'noisy')) s
JOIN config c ON c.id = s.config_id
WHERE s.age = 1 AND instr(c.kernel, '@') = 0 -- kernels from files are compared, not reported
;
-- `place` orders models by size, as the paper's tables do; `setting` names what is not the default. preload_id: the preload that took turns with this run.
-- `listed`: not one of a series made for a figure: no options, no emulated disk, the usual reader, kernels
-- that carry; and of several limits of memory one, beside the run without: the least, or what a newer build
-- was given in its place, less than an eighth of the weights' bytes more (a trade-off's limits lie further
-- apart). A build is as new as its first session: an older one may run again.
CREATE TEMP VIEW current_run AS
SELECT r.*, coalesce((SELECT z.params FROM zoo z WHERE z.model = r.model), 1e15) AS place,
       (r.kernel = 'direct') * 4 + (r.dtype <> 'f32') * 2 + (r.path <> 'image') AS form_place,
       r.dtype || ' ' || r.path || iif(r.cache = 'cold', '', ' ' || r.cache)
       || iif(r.source = 'disk', '', ' ' || r.source) || iif(r.reader = 'ahead', '', ' ' || r.reader)
       || iif(r.kernel = 'pipelined', '', ' ' || r.kernel)
       || iif(r.memory_limit_bytes IS NULL, '', printf(' within %.0f MB', r.memory_limit_bytes / 1e6))
       || iif(r.given = '', '', ' ' || r.given) AS setting,
       r.given = '' AND r.source = 'disk' AND r.reader = 'ahead' AND r.kernel <> 'naive'
       AND (r.memory_limit_bytes IS NULL OR r.memory_limit_bytes = r.listed_limit) AS listed,
       (SELECT max(p.id) FROM run p
        WHERE p.policy = 'preload' AND p.session_id = r.session_id AND p.model = r.model
          AND p.dtype = r.dtype AND p.path = r.path AND p.source = r.source AND p.cache = r.cache
          AND p.kernel = r.kernel AND coalesce(p.options, '') = r.given)
           AS preload_id
FROM (SELECT *, first_value(memory_limit_bytes) OVER
                    (PARTITION BY configured ORDER BY memory_limit_bytes < least_limit + bytes_read / 8 DESC,
                                                  build_utc DESC, memory_limit_bytes) AS listed_limit,
             row_number() OVER (PARTITION BY configured, memory_limit_bytes
                                ORDER BY taken_utc DESC, uuid DESC, id DESC) AS age
      FROM (SELECT *, min(memory_limit_bytes) OVER (PARTITION BY configured) AS least_limit
            FROM (SELECT r.*, s.device_id, s.program, s.uuid, coalesce(r.options, '') AS given,
                         min(s.started_utc) OVER (PARTITION BY s.device_id, s.program) AS build_utc,
                         json_array(s.device_id, r.model, r.policy, r.dtype, r.path, r.kernel, r.reader,
                                    r.source, r.cache, coalesce(r.options, '')) AS configured
                  FROM run r JOIN session s ON s.id = r.session_id
                  LEFT JOIN plan ON plan.id = r.plan_id -- other capacities are compared: predictor.sql
                  WHERE coalesce(instr(plan.capacity_source, ';'), 0) = 0))) r
WHERE r.age = 1;
-- A streaming run beside the preload that took turns with it (NULL: none did). rank: which one speaks for its model, storage
-- and path: lc-opg where it ran, without a limit, and where there was a preload.
CREATE TEMP VIEW current_pair AS
SELECT r.*, p.integrated_ns / 1e6 AS p_ms, p.integrated_low_ns AS p_low,
       p.integrated_high_ns AS p_high, p.avg_bytes / 1e6 AS p_avg, p.peak_bytes / 1e6 AS p_peak,
       r.integrated_ns / 1e6 AS ms, r.avg_bytes / 1e6 AS avg, r.peak_bytes / 1e6 AS peak,
       row_number() OVER (PARTITION BY r.device_id, r.model, r.dtype, r.path, r.cache
                          ORDER BY r.preload_id IS NULL, r.memory_limit_bytes IS NOT NULL,
                                   r.kernel <> 'pipelined', r.policy <> 'lc-opg', r.policy, r.kernel) AS rank
FROM current_run r LEFT JOIN run p ON p.id = r.preload_id
WHERE r.listed AND r.policy NOT IN ('preload', 'preload-transform');
-- The steps of Figure 7 as replays: what each adds to the one above it, and the whole with one thing
-- left out. More than one row of a step is another way to have it, first come first taken.
CREATE TEMP VIEW breakdown_step (place, step, part, policy, kernel, options, means) AS VALUES
(1, 'preload-transform', 0, 'preload-transform', NULL, '', 'layout made at start-up, nothing overlaps'),
(2, 'preload', 0, 'preload', 'naive', '', 'layout made offline'),
(3, '+ plan', 0, 'lc-opg', 'naive', '', 'weights stream as planned, moved by kernels of their own'),
(4, '+ adaptive fusion', 0, 'lc-opg', 'naive', '--split', 'fused kernels split where the plan is short'),
(5, '+ kernel rewriting', 0, 'lc-opg', 'pipelined', '--split', 'kernels move weights while they compute'),
(6, 'all but the solver', 1, 'always-next', 'pipelined', '--split', 'each layer moves the next one''s weights'),
(7, 'all but fusion', 1, 'lc-opg', 'pipelined', '', 'no layer is split'),
(8, 'all but rewriting', 1, 'lc-opg', 'naive', '--split', 'step 4'),
(9, 'all but tuning', 1, 'lc-opg', 'pipelined', '--variants default --split', 'kernels in their default tiles'),
(10, 'ours: latency plan', 2, 'latency', 'pipelined', '', 'planned for time in place of bytes'),
(11, 'ours: read in place', 2, 'latency', 'direct', '', 'where memory is shared, nothing is moved');
CREATE TEMP VIEW current_regressor AS
SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY device_id, target, dtype, path
                                            ORDER BY trained_utc DESC, id DESC) AS age
               FROM regressor)
WHERE age = 1;
-- Out-of-fold errors by scope (all, a class, an operator): all samples, and those that were not noisy.
CREATE TEMP VIEW current_metric AS
SELECT r.device_id, r.target, r.dtype, r.path, m.scope, r.target || ', ' || r.dtype || ' ' || r.path AS what,
       m.samples, round(100 * m.within_5pct, 1) AS within_5, round(100 * m.within_10pct, 1) AS within_10,
       round(100 * m.mape, 1) AS mape, round(100 * m.rmspe, 1) AS rmspe, round(m.spearman, 2) AS spearman,
       q.samples AS quiet_samples, round(100 * q.within_10pct, 1) AS quiet_10, round(100 * q.mape, 1) AS quiet_mape
FROM current_regressor r
JOIN metric m ON m.regressor_id = r.id AND m.noisy = 1
LEFT JOIN metric q ON q.regressor_id = r.id AND q.noisy = 0 AND q.scope = m.scope;
-- Scores of other methods and splits (train --compare): of the newest regressors that have any.
CREATE TEMP VIEW current_score AS
SELECT s.*, r.device_id, r.target, r.dtype, r.path
FROM score s JOIN (SELECT *, row_number() OVER (PARTITION BY device_id, target, dtype, path
                                                ORDER BY trained_utc DESC, id DESC) AS age
                   FROM regressor WHERE id IN (SELECT regressor_id FROM score)) r ON r.id = s.regressor_id
WHERE r.age = 1;
CREATE TEMP VIEW current_prediction AS
SELECT p.*, r.device_id, r.target, c.op, c.class, c.shape, c.dtype, c.path, c.kernel, c.form, c.variant,
       c.extra_ratio, s.status
FROM current_regressor r
JOIN prediction p ON p.regressor_id = r.id
JOIN sample s ON s.id = p.sample_id
JOIN config c ON c.id = s.config_id;
-- Other frameworks on models that we ran on the same device. `setting` says why when there are no times.
CREATE TEMP VIEW current_peer AS
SELECT p.*, p.framework || ' ' || p.version AS policy,
       p.dtype || ' ' || p.backend || ' ' || p.threads || iif(p.threads = 1, ' thread', ' threads')
       || iif(p.cache = 'cold', '', ' ' || p.cache) || iif(p.status = 'ok', '', ': ' || p.status)
           AS setting
FROM (SELECT *, row_number() OVER (PARTITION BY device_id, framework, backend, model, dtype, threads,
                                                cache
                                   ORDER BY taken_utc DESC, host DESC, id DESC) AS age
      FROM peer_run) p
WHERE p.age = 1 AND EXISTS (SELECT 1 FROM current_run r
                            WHERE r.device_id = p.device_id AND r.model = p.model);
