-- Load capacity by class and operator, from measured slowdowns: per curve (shape and variant) the extra load at which a
-- threshold is first crossed, linear between points, from (0, 1); at 0, the greatest load whose interval still reaches 1.
-- A curve that ends below the threshold is censored: it counts with its last ratio, as a lower bound ('>='); so does
-- a median above such a curve. One load alone is no curve: neighbours with one load each would make a bound of every median.
WITH point AS (
    SELECT op, class, shape, variant, extra_ratio AS x, slowdown AS y, slowdown_low AS low FROM current_sample
    WHERE device_id = ?1 AND slowdown IS NOT NULL AND form = 'pipelined' AND extra_ratio > 0
), curve AS (
    SELECT op, class, shape, variant, max(x) AS last FROM point GROUP BY op, class, shape, variant
    HAVING count(*) > 1
), threshold (t) AS (VALUES (1.0), (1.2), (4.0)), step AS (
    SELECT *, lag(x, 1, 0.0) OVER w AS x0, lag(y, 1, 1.0) OVER w AS y0
    FROM point WINDOW w AS (PARTITION BY op, shape, variant ORDER BY x)
), crossing AS ( -- the bare columns are those of the row with the least x
    SELECT op, shape, variant, t, iif(t = 1, x0, x0 + (t - y0) * (x - x0) / (y - y0)) AS at, min(x)
    FROM step, threshold WHERE iif(t = 1, low, y) > t GROUP BY op, shape, variant, t
), capacity AS (
    SELECT c.op, c.class, h.t, coalesce(k.at, c.last) AS ratio, k.at IS NULL AS open
    FROM curve c JOIN threshold h
    LEFT JOIN crossing k ON k.op = c.op AND k.shape = c.shape AND k.variant = c.variant AND k.t = h.t
), scoped AS (
    SELECT class, op, t, ratio, open FROM capacity
    UNION ALL
    SELECT class, 'all of the class', t, ratio, open FROM capacity
), ranked AS (
    SELECT *, row_number() OVER w AS rank, count(*) OVER all_of AS n, sum(open) OVER all_of AS opened,
           sum(open) OVER (w ROWS UNBOUNDED PRECEDING) AS open_below
    FROM scoped WINDOW all_of AS (PARTITION BY class, op, t), w AS (PARTITION BY class, op, t ORDER BY ratio, open)
), quarter AS ( -- of four curves or less the least and the most
    SELECT class, op, t, max(iif(rank = (n + 3) / 4, ratio, NULL)) AS low, max(iif(rank = (3 * n + 4) / 4, ratio, NULL)) AS high
    FROM ranked GROUP BY class, op, t
), middle AS (
    SELECT r.class, r.op, r.t, r.n, r.opened,
           iif(r.open_below, '>= ', '') || printf('%.2g (%.2g to %.2g)', r.ratio, q.low, q.high) AS text
    FROM ranked r JOIN quarter q USING (class, op, t) WHERE r.rank = (r.n + 1) / 2
)
SELECT m.class AS "class", m.op AS "operator", (SELECT name FROM device WHERE id = ?1) AS "device", m.n AS "curves",
       max(iif(t = 1.0, text, NULL)) AS "no slowdown shown", max(iif(t = 1.2, text, NULL)) AS "up to +20 %",
       max(iif(t = 4.0, text, NULL)) AS "up to +300 %",
       max(iif(t = 1.2, opened, NULL)) AS "ended below +20 %", max(iif(t = 4.0, opened, NULL)) AS "ended below +300 %",
       CASE WHEN CAST(paper.latency_threshold AS REAL) = 0 THEN 'carries none'
            WHEN paper.latency_threshold IS NOT NULL
            THEN printf('+%.0f %%', 100 * paper.latency_threshold) END AS "paper: threshold",
       paper.load_capacity AS "paper: capacity"
FROM middle m LEFT JOIN paper_table5_classes paper ON paper.class = m.class
GROUP BY m.class, m.op ORDER BY m.class, m.op = 'all of the class', m.op;
