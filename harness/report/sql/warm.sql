-- Runs one after another (replay --keep): medians over the sequences of each run from the first, by what stays in
-- memory between them, and where a preload that keeps all it has is ahead in the sum so far. The paper: SmartMem over
-- FlashMem in total, from init + n exec < n integrated of its Table 7.
WITH kept AS ( -- repeats stand sequence after sequence; the note says how many runs each has
    SELECT r.id, r.session_id, r.model, r.place, r.policy, r.given, r.verified, r.memory_limit_bytes,
           r.dtype || ' ' || r.path || iif(r.kernel = 'pipelined', '', ' ' || r.kernel)
               || iif(r.source = 'disk', '', ' ' || r.source)
               || iif(r.memory_limit_bytes IS NULL, '', printf(' within %.0f MB', r.memory_limit_bytes / 1e6)) AS setting,
           CAST(substr(r.note, instr(r.note, ' sequences of ') + 14) AS INTEGER) AS runs,
           r.note
    FROM current_run r
    WHERE r.device_id = ?1 AND instr(r.given, '--keep ') AND instr(r.note, ' sequences of ')
), one AS (
    SELECT k.id, p.seq % k.runs + 1 AS run, p.integrated_ns AS ns,
           row_number() OVER (PARTITION BY k.id, p.seq % k.runs ORDER BY p.integrated_ns) AS rank,
           count(*) OVER (PARTITION BY k.id, p.seq % k.runs) AS n
    FROM kept k JOIN run_repeat p ON p.run_id = k.id
), median AS (
    SELECT id, run, avg(ns) AS ns FROM one WHERE rank IN ((n + 1) / 2, n / 2 + 1) GROUP BY id, run
), total AS (
    SELECT id, run, ns, sum(ns) OVER (PARTITION BY id ORDER BY run) AS sum FROM median
)
SELECT k.model AS "model", k.policy AS "policy", k.setting AS "setting",
       round((SELECT max(CAST(substr(x.value, 1, 20) AS REAL)) FROM json_each('["' || replace(replace(k.note, '"', ''), '; ', '","') || '"]') x
              WHERE x.value LIKE '% bytes stay between%') / 1e6, 1) AS "kept between runs (MB)",
       round(max(iif(t.run = 1, t.ns, NULL)) / 1e6, 1) AS "first run (ms)",
       round(max(iif(t.run = 2, t.ns, NULL)) / 1e6, 1) AS "second (ms)",
       round(avg(iif(t.run > 2, t.ns, NULL)) / 1e6, 1) AS "mean of later ones (ms)",
       round(max(iif(t.run = k.runs, t.sum, NULL)) / 1e6, 1) AS "all together (ms)", k.runs AS "runs",
       iif(k.policy = 'preload', NULL,
           coalesce((SELECT 'from run ' || min(a.run) FROM total a JOIN total b ON b.run = a.run
                     WHERE a.id = p.id AND b.id = k.id AND a.sum < b.sum
                       AND NOT EXISTS (SELECT 1 FROM total c JOIN total d ON d.run = c.run
                                       WHERE c.id = p.id AND d.id = k.id AND c.run > a.run AND c.sum >= d.sum)
                     HAVING min(a.run) IS NOT NULL), 'not within ' || k.runs)) AS "preload ahead in total",
       iif(k.policy = 'preload', NULL,
           round(l.smartmem_init_ms / (CAST(l.flashmem_ms AS REAL) - l.smartmem_exec_ms), 1)) AS "paper: SmartMem ahead after (runs)"
FROM kept k JOIN total t ON t.id = k.id
LEFT JOIN kept p ON p.session_id = k.session_id AND p.model = k.model AND p.policy = 'preload' AND p.setting = k.setting
LEFT JOIN paper_table7_latency l ON l.model = k.model AND l.smartmem_exec_ms > 0
GROUP BY k.id ORDER BY k.place, k.model, k.setting, k.policy <> 'preload', 4, k.id;
