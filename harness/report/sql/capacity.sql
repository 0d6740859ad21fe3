-- Load capacity by operator, from measured slowdowns: per curve (shape and variant) the extra load at
-- which a threshold is first crossed, linear between points, from (0, 1). A curve that ends below
-- the threshold counts with its last ratio, as a lower bound ('>='); so does a median above such a curve.
-- One load alone is no curve: neighbours with one load each would make a bound of every median.
WITH point AS (
    SELECT op, class, shape, variant, extra_ratio AS x, slowdown AS y FROM current_sample
    WHERE device_id = ?1 AND slowdown IS NOT NULL AND form = 'pipelined' AND extra_ratio > 0
), curve AS (
    SELECT op, class, shape, variant, max(x) AS last FROM point GROUP BY op, class, shape, variant
    HAVING count(*) > 1
), threshold (t) AS (VALUES (1.2), (1.3), (4.0)), step AS (
    SELECT *, lag(x, 1, 0.0) OVER w AS x0, lag(y, 1, 1.0) OVER w AS y0
    FROM point WINDOW w AS (PARTITION BY op, shape, variant ORDER BY x)
), crossing AS ( -- the bare columns are those of the row with the least x
    SELECT op, shape, variant, t, x0 + (t - y0) * (x - x0) / (y - y0) AS at, min(x)
    FROM step, threshold WHERE y > t GROUP BY op, shape, variant, t
), capacity AS (
    SELECT c.op, c.class, h.t, coalesce(k.at, c.last) AS ratio, k.at IS NULL AS open
    FROM curve c JOIN threshold h
    LEFT JOIN crossing k ON k.op = c.op AND k.shape = c.shape AND k.variant = c.variant AND k.t = h.t
), ranked AS (
    SELECT *, row_number() OVER w AS rank, count(*) OVER (PARTITION BY op, t) AS n,
           sum(open) OVER (w ROWS UNBOUNDED PRECEDING) AS open_below,
           min(ratio) OVER (PARTITION BY op, t) AS least, max(ratio) OVER (PARTITION BY op, t) AS most
    FROM capacity WINDOW w AS (PARTITION BY op, t ORDER BY ratio, open)
), middle AS (
    SELECT op, class, t, n, iif(open_below, '>= ', '')
           || printf('%.2g (%.2g to %.2g)', ratio, least, most) AS text
    FROM ranked WHERE rank = (n + 1) / 2
)
SELECT m.class AS "class", m.op AS "operator", m.n AS "curves",
       max(iif(t = 1.2, text, NULL)) AS "up to +20 %", max(iif(t = 1.3, text, NULL)) AS "up to +30 %",
       max(iif(t = 4.0, text, NULL)) AS "up to +300 %",
       CASE WHEN CAST(paper.latency_threshold AS REAL) = 0 THEN 'carries none'
            WHEN paper.latency_threshold IS NOT NULL
            THEN printf('+%.0f %%', 100 * paper.latency_threshold) END AS "paper: threshold"
FROM middle m LEFT JOIN paper_table5_classes paper ON paper.class = m.class
GROUP BY m.op ORDER BY m.class, m.op;
