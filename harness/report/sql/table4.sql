-- Solvers on the same instances (scripts/cpsat/table4): the newest plan of each, the paper's formulation
-- under CP-SAT beside ours. The paper's own times were on 128 threads.
WITH newest AS (
    SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY device_id, model, policy, price, limit_reading,
                                                  m_peak_bytes, memory_limit_bytes, lambda, chunk_bytes
                                     ORDER BY made_utc DESC, id DESC) AS age
        FROM plan WHERE policy IN ('cp-sat', 'lc-opg', 'greedy'))
    WHERE age = 1
)
SELECT c.model AS "instance", p.policy AS "solver", p.status AS "status",
       round(p.objective, 1) AS "objective", round(p.lower_bound, 1) AS "lower bound",
       round(p.objective / o.objective, 2) AS "objective / lc-opg's",
       round(p.solve_ns / 1e9, 4) AS "time (s)",
       iif(p.policy = 'cp-sat', t.build_s, NULL) AS "paper: build (s)",
       iif(p.policy = 'cp-sat', t.solve_s, NULL) AS "paper: solve (s)",
       iif(p.policy = 'cp-sat', t.status, NULL) AS "paper: status"
FROM newest c
JOIN newest p ON p.model = c.model AND p.price = c.price AND p.limit_reading = c.limit_reading
             AND p.m_peak_bytes IS c.m_peak_bytes AND p.lambda = c.lambda
             AND p.chunk_bytes = c.chunk_bytes AND p.memory_limit_bytes IS c.memory_limit_bytes
             AND p.device_id IS c.device_id
LEFT JOIN newest o ON o.policy = 'lc-opg' AND o.model = c.model AND o.price = c.price AND o.limit_reading = c.limit_reading
                  AND o.m_peak_bytes IS c.m_peak_bytes AND o.lambda = c.lambda AND o.chunk_bytes = c.chunk_bytes
                  AND o.memory_limit_bytes IS c.memory_limit_bytes AND o.device_id IS c.device_id
LEFT JOIN paper_table4_solver t
       ON c.model LIKE replace(replace(t.model, 'GPTN-', 'gptneo-'), 'S', 's') || '.%'
WHERE c.policy = 'cp-sat' AND (c.device_id = ?1 OR c.device_id IS NULL)
ORDER BY t.rowid IS NULL, t.rowid, c.model, p.policy <> 'cp-sat', p.policy;
