-- The paper's claims beside what was measured on one device: one row each, by the item of the page that it
-- belongs to. Verdicts are computed; what explains them is ours. The page asks for every device.
WITH pair AS ( -- streaming without a limit, each against the preload of its session
    SELECT r.*, p.integrated_ns AS p_ns, p.integrated_low_ns AS p_low, p.integrated_high_ns AS p_high,
           p.avg_bytes AS p_avg, p.init_ns AS p_init, p.exec_ns AS p_exec,
           (SELECT q.integrated_ns FROM run q WHERE q.session_id = r.session_id AND q.model = r.model
            AND q.policy = 'preload-transform') AS transform_ns
    FROM current_run r JOIN run p ON p.id = r.preload_id
    WHERE r.device_id = ?1 AND r.policy IN ('lc-opg', 'latency') AND r.listed AND r.cache = 'cold'
      AND r.memory_limit_bytes IS NULL
), gain AS (
    SELECT count(*) AS n, sum(integrated_high_ns < p_low) AS faster, sum(integrated_low_ns > p_high) AS slower,
           min(p_ns / integrated_ns) AS least, max(p_ns / integrated_ns) AS most,
           exp(avg(ln(p_ns / integrated_ns))) AS mean,
           max((disk_ns + kernel_ns) / bound_ns) AS ceiling,
           min(p_avg / avg_bytes) AS least_b, max(p_avg / avg_bytes) AS most_b,
           exp(avg(ln(p_avg / avg_bytes))) AS mean_b, sum(p_avg > avg_bytes) AS less,
           min(transform_ns / integrated_ns) AS least_t, max(transform_ns / integrated_ns) AS most_t,
           min(disk_ns / kernel_ns) AS least_x, max(disk_ns / kernel_ns) AS most_x
    FROM pair
), paper AS (
    SELECT min(t) AS least, max(t) AS most, exp(avg(ln(t))) AS mean FROM (
        SELECT (smartmem_init_ms + smartmem_exec_ms) / CAST(flashmem_ms AS REAL) AS t
        FROM paper_table7_latency WHERE smartmem_exec_ms > 0)
), paper_mb AS (
    SELECT min(t) AS least, max(t) AS most, exp(avg(ln(t))) AS mean FROM (
        SELECT smartmem_mb / CAST(flashmem_mb AS REAL) AS t FROM paper_table8_memory WHERE smartmem_mb > 0)
), at_one AS ( -- one curve's slowdown where it carries about its inputs' bytes
    SELECT op, class, form, path, shape, exp(avg(ln(slowdown))) AS y FROM current_sample
    WHERE device_id = ?1 AND slowdown > 0 AND dtype = 'f32' AND extra_ratio BETWEEN 0.9 AND 1.1
    GROUP BY op, class, form, path, shape
), by_class AS (
    SELECT class, exp(avg(ln(y))) AS y, count(*) AS n FROM at_one WHERE form = 'pipelined' GROUP BY class
), allowed AS (
    SELECT class, sum(y <= 1.02 + CAST(p.latency_threshold AS REAL)) AS fit, count(*) AS n
    FROM at_one JOIN paper_table5_classes p USING (class) WHERE form = 'pipelined' GROUP BY class
), forms AS (
    SELECT count(*) AS n, sum(p.y < 0.98 * b.y) AS better, sum(p.y > 1.02 * b.y) AS worse,
           exp(avg(ln(b.y / p.y))) AS ratio
    FROM at_one p JOIN at_one b USING (op, path, shape) WHERE p.form = 'pipelined' AND b.form = 'branching'
), naive AS (
    SELECT n.policy, n.integrated_ns / p.integrated_ns AS t
    FROM current_run n
    JOIN run p ON p.session_id = n.session_id AND p.model = n.model AND p.policy = 'lc-opg'
    WHERE n.device_id = ?1 AND n.policy IN ('same-op-type', 'always-next') AND n.source = 'disk'
      AND n.given IN ('', '--respect-capacity')
), step AS (
    SELECT s.place, s.step, r.model, r.dtype, r.path, r.integrated_ns AS t, r.integrated_low_ns AS low,
           r.integrated_high_ns AS high FROM breakdown_step s
    JOIN current_run r ON r.policy = s.policy AND r.given = s.options AND r.kernel = s.kernel
    WHERE r.device_id = ?1 AND r.source = 'disk' AND r.cache = 'cold' AND r.reader = 'ahead'
      AND r.memory_limit_bytes IS NULL AND s.part = 0
), stepped AS (
    SELECT b.step, b.place, count(*) AS n, min(a.t / b.t) AS least, max(a.t / b.t) AS most,
           sum(b.high < a.low) AS faster, sum(b.low > a.high) AS slower
    FROM step a JOIN step b USING (model, dtype, path) WHERE a.place = b.place - 1 GROUP BY b.step
), streamed AS ( -- of the plans that ran: the share streamed, where it cost no more time
    SELECT count(*) AS n, max(share) AS most, avg(share) AS mean,
           max(iif(r.integrated_low_ns <= r.p_high, share, NULL)) AS free
    FROM (SELECT pair.*, (SELECT 1.0 - 1.0 * sum(w.bytes * w.preload) / sum(w.bytes) FROM plan_weight w
                          WHERE w.plan_id = pair.plan_id) AS share FROM pair WHERE policy = 'lc-opg') r
), energy AS (
    SELECT count(*) AS n, min(q.energy_j / r.energy_j) AS least, max(q.energy_j / r.energy_j) AS most
    FROM pair r JOIN run q ON q.id = r.preload_id WHERE r.energy_j > 0 AND q.energy_j > 0
), again AS ( -- sequences of runs (replay --keep), against the preload that took turns with them: see warm.sql
    SELECT r.model, sum(a.integrated_ns) * 1.0 / (SELECT sum(b.integrated_ns) FROM run_repeat b WHERE b.run_id = p.id) AS share,
           CAST(substr(r.note, instr(r.note, ' sequences of ') + 14) AS INTEGER) AS n,
           (SELECT max(CAST(substr(x.value, 1, 20) AS REAL)) / 1e6
            FROM json_each('["' || replace(replace(r.note, '"', ''), '; ', '","') || '"]') x
            WHERE x.value LIKE '% bytes stay between%') AS mb
    FROM current_run r JOIN run p ON p.id = r.preload_id
    JOIN run_repeat a ON a.run_id = r.id
    WHERE r.device_id = ?1 AND r.policy <> 'preload' AND instr(r.given, '--keep ') AND instr(r.note, ' sequences of ')
    GROUP BY r.id ORDER BY r.place, mb
), finding (place, item, says, here, verdict, why) AS (
    SELECT 1, 'table1', (SELECT printf('%.1f to %.1f times the inference itself pass before it (MNN)', min(t), max(t))
                         FROM (SELECT (load_ms + transform_ms) / CAST(infer_ms AS REAL) AS t FROM paper_table1_preload_cost)),
           (SELECT printf('%.2f to %.2f times', min(p_init / p_exec),
                          max(p_init / p_exec)) FROM pair),
           (SELECT CASE WHEN min(p_init / p_exec) > 1 THEN 'agrees' WHEN max(p_init / p_exec) > 1 THEN 'in part'
                        ELSE 'differs' END FROM pair),
           (SELECT iif(min(p_init / p_exec) > 1, 'reading alone takes longer than the kernels here, however the weights lie',
                       'this preload finds its layout made offline, and the kernels take longer than reading') FROM pair)
    WHERE EXISTS (SELECT 1 FROM pair)
    UNION ALL
    SELECT 2, 'figure2', 'reusable operators carry most, hierarchical ones slow down at small volumes',
           (SELECT group_concat(printf('%s %.2f', class, y), ', ') || ' times slower at ratio 1' FROM by_class),
           CASE WHEN (SELECT y FROM by_class WHERE class = 'reusable') < (SELECT min(y) FROM by_class WHERE class <> 'reusable')
                THEN 'agrees' ELSE 'differs' END,
           'geometric means over shapes and tiles; a kernel bound by memory pays for every byte that it moves'
    WHERE (SELECT count(*) FROM by_class) = 3
    UNION ALL
    SELECT 3, 'figure5', 'branch-free pipelining costs less than branches',
           printf('branching over pipelined %.2f at ratio 1; pipelined better in %d of %d, worse in %d', ratio, better, n, worse),
           CASE WHEN better > 2 * worse AND ratio > 1.02 THEN 'agrees' WHEN worse > better THEN 'differs' ELSE 'no difference' END,
           (SELECT iif(type = 'cpu', 'branches diverge only where work items run in step: a CPU has none of that',
                       'work items run in step here: a branch costs where a kernel computes, little where it waits for memory')
            FROM device WHERE id = ?1)
    FROM forms WHERE n > 0
    UNION ALL
    SELECT 3.5, 'capacity', 'elemental operators may slow down by 300 %, reusable ones by 20 %, hierarchical ones not at all',
           (SELECT group_concat(printf('%s within it in %d of %d curves', class, fit, n), ', ') || ' at ratio 1' FROM allowed),
           (SELECT CASE WHEN min(1.0 * fit / n) > 0.5 THEN 'agrees' WHEN max(1.0 * fit / n) > 0.5 THEN 'in part' ELSE 'differs' END
            FROM allowed WHERE class <> 'hierarchical'),
           'a rule for kernels: with it those of whole models slow down by about a fifth, unless something else is waited for'
    WHERE EXISTS (SELECT 1 FROM allowed)
    UNION ALL
    SELECT 4, 'table7', printf('%.1f to %.1f times faster than SmartMem, %.1f on average', paper.least, paper.most, paper.mean),
           printf('%.2f to %.2f, %.2f on average; faster in %d of %d, slower in %d, else no difference shown', gain.least, gain.most,
                  gain.mean, faster, n, slower)
           || coalesce('; over a preload that transforms ' || iif(least_t IS NULL, NULL, printf('%.2f to %.2f', least_t, most_t)), ''),
           CASE WHEN gain.least >= paper.least THEN 'agrees' WHEN faster > slower THEN 'in part' ELSE 'differs' END,
           printf('against a preload whose layout is made, overlap gains at most %.2f here; the paper''s baseline transforms at start-up', ceiling)
    FROM gain, paper WHERE n > 0
    UNION ALL
    SELECT 5, 'table8', printf('%.1f to %.1f times less memory than SmartMem, %.1f on average', paper_mb.least, paper_mb.most, paper_mb.mean),
           printf('%.2f to %.2f without a limit, %.2f on average', least_b, most_b, mean_b),
           CASE WHEN least_b >= paper_mb.least THEN 'agrees' WHEN 2 * less > n THEN 'in part' ELSE 'differs' END,
           'our preload holds each weight once; what a plan holds follows what its kernels can carry'
    FROM gain, paper_mb WHERE n > 0
    UNION ALL
    SELECT 6, 'table9', (SELECT printf('%.1f (DeepViT) and %.1f (SD-UNet) times less energy than SmartMem',
                                       s.deepvit_j / CAST(f.deepvit_j AS REAL), s.sdunet_j / CAST(f.sdunet_j AS REAL))
                         FROM paper_table9_energy s, paper_table9_energy f
                         WHERE s.framework = 'SmartMem' AND f.framework = 'FlashMem'),
           printf('%.2f to %.2f times less than preload', least, most),
           CASE WHEN least > 2 THEN 'agrees' WHEN least > 1 THEN 'in part' ELSE 'differs' END,
           'joules follow time: a device that waits for its disk still draws power'
    FROM energy WHERE n > 0
    UNION ALL
    SELECT 6 + place, 'figure7', r.stated, printf('%.2f to %.2f times over the step before; faster in %d of %d, slower in %d, else no difference shown',
                  least, most, faster, n, slower),
           CASE WHEN least >= r.low AND most <= r.high AND faster = n THEN 'agrees'
                WHEN faster > 0 AND most >= r.low THEN 'in part' ELSE 'differs' END,
           CASE place WHEN 3 THEN 'here the step before is a preload with its layout made; there it is one without'
                      WHEN 4 THEN 'a layer in two has more places to carry weights, and costs a launch and what lies between'
                      ELSE 'what a kernel can hide depends on how long it computes beside what it moves' END
    FROM stepped JOIN paper_ranges r ON r.figure = '7a' AND r.item = stepped.step
    UNION ALL
    SELECT 20, 'figure9', (SELECT group_concat(stated, '; ') FROM paper_ranges WHERE figure = '9'),
           (SELECT group_concat(t, '; ') FROM (SELECT printf('%s %.2f to %.2f', policy, min(t), max(t)) AS t
                                               FROM naive GROUP BY policy ORDER BY policy)),
           CASE WHEN (SELECT min(t) FROM naive) > 1 THEN 'agrees' WHEN (SELECT max(t) FROM naive) > 1 THEN 'in part' ELSE 'differs' END,
           'naive policies lose what they stall for; where the disk is slower than all else, everybody waits for it'
    WHERE EXISTS (SELECT 1 FROM naive)
    UNION ALL
    SELECT 21, 'figure8', (SELECT stated FROM paper_ranges WHERE figure = '8'),
           printf('plans streamed up to %.0f %%, %.0f %% on average; up to %.0f %% with no slowdown shown', 100 * most, 100 * mean, 100 * free),
           CASE WHEN free >= (SELECT CAST(low AS REAL) FROM paper_ranges WHERE figure = '8') THEN 'agrees' WHEN free IS NULL THEN 'differs' ELSE 'in part' END,
           'without a limit lc-opg streams what the thresholds let it carry'
    FROM streamed WHERE n > 0 AND most > 0
    UNION ALL
    SELECT 4.5, 'table4', (SELECT printf('CP-SAT proves %d of %d plans optimal within 150 s', sum(status = 'OPTIMAL'), count(*))
                           FROM paper_table4_solver),
           printf('of the plans that ran lc-opg proved %d of %d optimal, in %.3f s at most', sum(p.status = 'OPTIMAL'), count(*),
                  max(p.solve_ns) / 1e9)
           || (SELECT iif(count(*) = 0, '', printf('; of instances of the paper''s models %d of %d, in %.2f s at most, CP-SAT %d',
                                                   sum(i.status = 'OPTIMAL'), count(*), max(i.solve_ns) / 1e9,
                                                   sum(c.status = 'OPTIMAL')))
               FROM (SELECT *, max(made_utc) FROM plan WHERE device_id IS NULL AND policy = 'lc-opg' GROUP BY model) i
               JOIN (SELECT *, max(made_utc) FROM plan WHERE device_id IS NULL AND policy = 'cp-sat' GROUP BY model) c
                   USING (model)),
           iif(sum(p.status = 'OPTIMAL') = count(*), 'better', 'in part'),
           'its objective is linear in chunks of equal size: flows and bounds of its own take the place of a general solver'
    FROM current_run r JOIN plan p ON p.id = r.plan_id
    WHERE r.device_id = ?1 AND r.policy = 'lc-opg' HAVING count(*) > 0
    UNION ALL
    SELECT 15, 'figure6', 'models one after another stay within 1.5 GB, where MNN cannot run GPTN-1.3B',
           printf('%d requests within %.0f MB, %.0f at most; %.2f times as fast as preloading, which held %.0f at most',
                  q.requests, q.memory_limit_bytes / 1e6, q.peak_bytes / 1e6, 1.0 * b.total_ns / q.total_ns, b.peak_bytes / 1e6),
           CASE WHEN q.peak_bytes > q.memory_limit_bytes THEN 'differs'
                WHEN b.total_ns > q.total_ns AND b.peak_bytes > q.memory_limit_bytes THEN 'agrees' ELSE 'in part' END,
           'one ledger for all models refuses what would exceed the limit, and the next model reads while this one computes'
    FROM (SELECT q.*, max(q.taken_utc) FROM queue q JOIN session s ON s.id = q.session_id
          WHERE s.device_id = ?1 AND q.status = 'ok' AND q.policy <> 'preload' AND NOT q.preempt
            AND q.memory_limit_bytes > 0 AND q.workload LIKE '%paper%') q
    JOIN queue b ON b.session_id = q.session_id AND b.policy = 'preload' AND NOT b.preempt AND b.status = 'ok'
    UNION ALL
    SELECT 16, 'urgent', 'an urgent model could interrupt at a layer boundary (drawn, not built)',
           printf('%.0f to %.0f ms from arrival to output, %.0f to %.0f where it waits its turn',
                  min(b.end_ns - b.arrive_ns) / 1e6, max(b.end_ns - b.arrive_ns) / 1e6,
                  min(a.end_ns - a.arrive_ns) / 1e6, max(a.end_ns - a.arrive_ns) / 1e6),
           iif(max((b.end_ns - b.arrive_ns) * 1.0 / (a.end_ns - a.arrive_ns)) < 1, 'built: faster', 'built: in part'),
           'it waits for a layer''s end in place of a model''s; what the other has computed and read stays'
    FROM queue p
    JOIN queue f ON f.session_id = p.session_id AND f.policy = p.policy AND NOT f.preempt AND f.status = 'ok'
         AND f.memory_limit_bytes IS p.memory_limit_bytes
    JOIN queue_step a ON a.queue_id = f.id AND a.priority > 0
    JOIN queue_step b ON b.queue_id = p.id AND b.step = a.step
    WHERE p.preempt AND p.status = 'ok' -- of the newest session, as in urgent.sql
      AND p.session_id = (SELECT q.session_id FROM queue q JOIN session n ON n.id = q.session_id
                          WHERE n.device_id = ?1 AND q.preempt AND q.status = 'ok'
                          ORDER BY q.taken_utc DESC, q.id DESC LIMIT 1)
    HAVING count(*) > 0
    UNION ALL
    SELECT 16.5, 'warm', 'after 3 to 12 warm runs SmartMem overtakes',
           (SELECT group_concat(printf('%s, %.0f MB kept: streaming took %.2f of preload''s time over %d runs', model, mb, share, n), '; ')
            FROM again),
           (SELECT CASE WHEN max(share) < 1 THEN 'better' WHEN min(share) < 1 THEN 'in part' ELSE 'agrees' END FROM again),
           'a preload that keeps all its weights only computes from the second run on; so does streaming that keeps them'
    WHERE EXISTS (SELECT 1 FROM again)
    UNION ALL
    SELECT 21.5, 'fits', 'every model runs on a phone when streamed; preloaded (SmartMem), GPTN-1.3B not in 6 and 8 GB',
           printf('planned within 6 GB: %d of %d streamed, %d preloaded', sum(policy <> 'preload' AND status <> 'INFEASIBLE'),
                  sum(policy <> 'preload'), sum(policy = 'preload' AND status <> 'INFEASIBLE')),
           CASE WHEN sum(policy <> 'preload' AND status = 'INFEASIBLE') = 0 AND sum(policy = 'preload' AND status = 'INFEASIBLE') > 0
                THEN 'agrees' WHEN sum(policy <> 'preload' AND status = 'INFEASIBLE') = 0 THEN 'in part' ELSE 'differs' END,
           'planned, not run; our preload holds each weight once, so that more fits than in SmartMem'
    FROM (SELECT model, dtype, policy, status, max(made_utc) FROM plan
          WHERE memory_limit_bytes = 6000000000 AND policy IN ('preload', 'always-next') AND device_id = ?1
            AND model IN (SELECT abbr FROM paper_table6_models) AND NOT EXISTS (SELECT 1 FROM run r WHERE r.plan_id = plan.id)
          GROUP BY model, dtype, policy) HAVING sum(policy <> 'preload') > 0
    UNION ALL
    SELECT 22, 'regime', 'streaming pays on a phone, where disk and kernels take similar times',
           printf('disk over kernels is %.2f to %.2f here', least_x, most_x),
           CASE WHEN least_x > 3 THEN 'other regime: disk' WHEN most_x < 0.33 THEN 'other regime: kernels' ELSE 'comparable' END,
           'overlap gains most where both take equally long, at most 2 times'
    FROM gain WHERE n > 0
)
SELECT item AS "item", says AS "the paper says", (SELECT name FROM device WHERE id = ?1) AS "device", here AS "here",
       verdict AS "verdict", why AS "why"
FROM finding WHERE here IS NOT NULL ORDER BY place;
