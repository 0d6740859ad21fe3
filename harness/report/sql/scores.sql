-- What the regressor is worth (train --compare): other methods, other ways to part what is learnt from what is asked,
-- and what a second measurement of the same predicts. Percent within 10 %; of latency within 5 % as well.
WITH kind (split, method, place, asked, said) AS (VALUES
    ('shape', 'blended', 1, 'shapes never seen', 'ours, of the next three'),
    ('shape', 'smooth', 2, 'shapes never seen', 'Gaussian processes'),
    ('shape', 'boosted', 3, 'shapes never seen', 'trees on a roofline'),
    ('shape', 'roofline', 4, 'shapes never seen', 'a roofline'),
    ('shape', 'linear', 5, 'shapes never seen', 'a linear model'),
    ('random', 'blended', 6, 'samples at random', 'ours'),
    ('model', 'blended', 7, 'models never seen', 'ours'),
    ('again', 'measured', 9, 'the same once more', 'a second measurement')
), one AS (
    SELECT s.*, coalesce(k.place, iif(s.split LIKE 'transfer %', 10, 8)) AS place,
           coalesce(k.asked, iif(s.split LIKE 'transfer %', 'all, from ' || substr(s.split, 10) || ' samples of this device',
                                 'never seen: ' || s.split))
               || iif(s.scope = 'models' AND s.split IN ('shape', 'random', 'again'), ' (models'' own)', '') AS asked,
           coalesce(k.said, nullif(s.method, 'blended'), 'ours') AS said
    FROM current_score s LEFT JOIN kind k ON k.split = s.split AND coalesce(k.method, s.method) = s.method
    WHERE s.device_id = ?1 AND (s.scope = 'all' OR s.scope = 'models' AND s.split IN ('shape', 'random', 'again'))
)
SELECT asked AS "asked", said AS "answered by", (SELECT name FROM device WHERE id = ?1) AS "device", dtype AS "storage",
       max(iif(target = 'latency' AND path = 'image', samples, NULL)) AS "kernels on images",
       max(iif(target = 'latency' AND path = 'image', round(100 * within_5pct, 1), NULL)) AS "within 5 %: images",
       max(iif(target = 'latency' AND path = 'image', round(100 * within_10pct, 1), NULL)) AS "within 10 %: images",
       max(iif(target = 'latency' AND path = 'buffer', round(100 * within_5pct, 1), NULL)) AS "within 5 %: buffers",
       max(iif(target = 'latency' AND path = 'buffer', round(100 * within_10pct, 1), NULL)) AS "within 10 %: buffers",
       max(iif(target = 'slowdown' AND path = 'image', round(100 * within_10pct, 1), NULL)) AS "slowdown within 10 %: images",
       max(iif(target = 'slowdown' AND path = 'buffer', round(100 * within_10pct, 1), NULL)) AS "slowdown within 10 %: buffers"
FROM one GROUP BY dtype, asked, said
ORDER BY dtype, scope = 'models', place, asked, said;
