-- Figure 1's bandwidths as measured here. Disk: reading alone, the control of the newest replays. Memory:
-- the fastest element-wise kernel of a sweep, bytes in and out over its time, from buffers and from images.
-- Transfer: what a launch carried in form copy over its time. A cache's own rate needs a hot sweep of
-- small kernels.
WITH moved AS ( -- bytes of a kernel's inputs are what it carried over its ratio
    SELECT path, cache, form, op, shape, load_bytes, load_bytes / extra_ratio AS input_bytes,
           base_median_ns AS ns, median_ns
    FROM current_sample
    WHERE device_id = ?1 AND extra_ratio > 0 AND base_median_ns > 0 AND dtype = 'f32'
), elementwise AS ( -- one in, one out, of equal size
    SELECT path, cache, 2 * input_bytes / ns AS rate, op || ' ' || shape AS what, input_bytes
    FROM moved WHERE op IN ('relu', 'gelu', 'silu', 'sigmoid', 'tanh', 'affine') AND input_bytes >= 4e6
), level (place, level, paper, rate, what, n) AS (
    SELECT 1, 'disk', 'disk', max(r.bytes_read / r.disk_ns), 'reading ' || r.model || ' alone', count(*)
    FROM current_run r WHERE r.device_id = ?1 AND r.source = 'disk' AND r.cache = 'cold' AND r.disk_ns > 0
    UNION ALL
    SELECT 2, 'memory, buffers', 'unified_memory', max(rate), what, count(*) FROM elementwise WHERE path = 'buffer'
    UNION ALL
    SELECT 3, 'memory, images', 'texture_memory', max(rate), what, count(*) FROM elementwise WHERE path = 'image'
    UNION ALL
    SELECT 4, 'memory to textures (copy)', 'unified_memory', max(load_bytes / median_ns),
           'beside ' || op || ' ' || shape, count(*)
    FROM moved WHERE form = 'copy' AND path = 'image'
    UNION ALL
    SELECT 5, 'cache', 'l2', NULL, NULL, 0
)
SELECT l.level AS "level", round(l.rate, 2) AS "GB/s here", l.n AS "of measurements",
       l.what AS "the fastest was", round(l.rate / d.rate, 1) AS "times the disk",
       CAST(h.gb_per_s AS REAL) AS "paper: GB/s", round(h.gb_per_s / 1.5, 1) AS "paper: times the disk",
       CASE WHEN l.rate IS NULL THEN iif(l.place = 5, 'no sweep of kernels that fit a cache, warm',
                                         'nothing of this kind was swept on this device') END AS "why empty"
FROM level l LEFT JOIN level d ON d.place = 1 LEFT JOIN paper_memory_hierarchy h ON h.level = l.paper
WHERE EXISTS (SELECT 1 FROM level WHERE rate IS NOT NULL)
ORDER BY l.place;
