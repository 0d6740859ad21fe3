-- Figure 7: what each step gains over the one before, and what leaving one out costs; times and average
-- memory. gnuplot cuts a string at a comma or a double quote: labels have neither. Intervals divide the ends of both: runs of different commands did not
-- take turns; of different builds of the program they are not compared at all.
WITH value AS (
    SELECT replace(replace(r.model, ',', ' '), char(34), ' ')
               || iif(r.dtype = 'f32', '', ' ' || r.dtype) AS series, r.dtype, r.path, s.place, s.step,
           s.part, r.integrated_ns AS t, r.integrated_low_ns AS low, r.integrated_high_ns AS high,
           r.avg_bytes AS b, r.program
    FROM breakdown_step s
    JOIN current_run r ON r.policy = s.policy AND r.given = s.options
                      AND (s.kernel IS NULL OR r.kernel = s.kernel)
    WHERE r.device_id = ?1 AND r.reader = 'ahead' AND r.source = 'disk' AND r.cache = 'cold'
      AND r.memory_limit_bytes IS NULL AND s.part < 2
      AND EXISTS (SELECT 1 FROM current_run n
                  WHERE n.device_id = ?1 AND n.model = r.model AND n.dtype = r.dtype AND n.path = r.path
                    AND n.policy = 'lc-opg' AND n.kernel = 'naive')
    GROUP BY r.model, r.dtype, r.path, s.place
), pair AS ( -- gained by a step: before / after. Lost without it: without / whole (step 5)
    SELECT v.series || iif(v.path = 'image', '', ' ' || v.path) AS series, v.place, v.step,
           iif(v.part = 0, o.t / v.t, v.t / o.t) AS t,
           iif(v.part = 0, o.low / v.high, v.low / o.high) AS low,
           iif(v.part = 0, o.high / v.low, v.high / o.low) AS high,
           iif(v.part = 0, o.b / v.b, v.b / o.b) AS b
    FROM value v
    JOIN value o ON o.series = v.series AND o.path = v.path AND o.dtype = v.dtype AND o.program = v.program
                AND o.place = iif(v.part = 0, v.place - 1, 5)
    WHERE v.place > 1 AND v.place <> 8
)
SELECT 'latency: gained by adding it / lost without it' AS panel, p.series, p.place, p.step,
       p.t AS value, p.low, p.high, CAST(r.low AS REAL) AS paper_low, CAST(r.high AS REAL) AS paper_high
FROM pair p LEFT JOIN paper_ranges r ON r.figure = '7a' AND r.item = p.step
UNION ALL
SELECT 'average memory: gained / lost without it', p.series, p.place, p.step,
       p.b, p.b, p.b, CAST(r.low AS REAL), CAST(r.high AS REAL)
FROM pair p LEFT JOIN paper_ranges r ON r.figure = '7b' AND r.item = p.step
ORDER BY 1 DESC, 2, 3;
