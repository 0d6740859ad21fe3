-- The plans behind the runs.
SELECT p.model AS "model", p.policy AS "policy", r.setting AS "setting",
       p.status AS "status", round(p.objective, 1) AS "objective",
       round(p.lower_bound, 1) AS "lower bound",
       count(w.weight) AS "weights", sum(w.preload) AS "of them preloaded",
       round(p.preloaded_bytes / 1e6, 1) AS "preloaded (MB)",
       round(p.solve_ns / 1e6, 2) AS "solve (ms)"
FROM current_run r JOIN plan p ON p.id = r.plan_id JOIN plan_weight w ON w.plan_id = p.id
WHERE r.device_id = ?1 AND r.listed
GROUP BY r.id ORDER BY r.place, p.model, r.form_place, r.setting, p.policy <> 'preload', p.policy;
