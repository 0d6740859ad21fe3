-- What came out, in sentences: first over all models, then for each model, storage and path the streaming policy (lc-opg
-- where it ran) against the preload that took turns with it; of models that never had one, that. Every number is
-- computed here; digits follow the size.
WITH pair AS (
    SELECT r.*, p.integrated_ns / 1e6 AS p_ms, p.integrated_low_ns AS p_low,
           p.integrated_high_ns AS p_high, p.avg_bytes / 1e6 AS p_avg, p.peak_bytes / 1e6 AS p_peak,
           r.integrated_ns / 1e6 AS ms, r.avg_bytes / 1e6 AS avg, r.peak_bytes / 1e6 AS peak,
           row_number() OVER (PARTITION BY r.model, r.dtype, r.path, r.cache
                              ORDER BY r.preload_id IS NULL, r.memory_limit_bytes IS NOT NULL,
                                       r.kernel <> 'pipelined', r.policy <> 'lc-opg', r.policy,
                                       r.kernel) AS rank
    FROM current_run r LEFT JOIN run p ON p.id = r.preload_id
    WHERE r.device_id = ?1 AND r.listed AND r.policy NOT IN ('preload', 'preload-transform')
), way AS ( -- streaming without a limit, by how weights come to the kernels and what planned it
    SELECT CASE WHEN r.kernel = 'direct' THEN 3 WHEN r.policy = 'lc-opg' THEN 1 ELSE 2 END AS way,
           r.p_ms / r.ms AS t, r.integrated_high_ns < r.p_low AS faster, r.integrated_low_ns > r.p_high AS slower,
           r.p_avg / r.avg AS b, (r.disk_ns + r.kernel_ns) / r.bound_ns AS ceiling
    FROM pair r
    WHERE r.preload_id IS NOT NULL AND r.memory_limit_bytes IS NULL AND r.cache = 'cold'
      AND r.policy IN ('lc-opg', 'latency')
), limited AS ( -- within a limit of memory, beside the newest preload without one
    SELECT r.model, r.integrated_ns / r.bound_ns AS t,
           (SELECT max(p.peak_bytes) FROM current_run p
            WHERE p.device_id = r.device_id AND p.model = r.model AND p.dtype = r.dtype AND p.path = r.path
              AND p.kernel = r.kernel AND p.policy = 'preload' AND p.listed AND p.cache = 'cold'
              AND p.memory_limit_bytes IS NULL) * 1.0 / r.peak_bytes AS b
    FROM current_run r
    WHERE r.device_id = ?1 AND r.listed AND r.cache = 'cold' AND r.memory_limit_bytes IS NOT NULL
      AND r.policy = 'latency' AND r.bound_ns > 0
), pass AS (
    SELECT q.* FROM queue q JOIN session s ON s.id = q.session_id WHERE s.device_id = ?1 AND q.status = 'ok'
), line (part, name, text) AS (
    SELECT 0, way,
           CASE way WHEN 1 THEN 'The paper''s plan (lc-opg), weights moved by kernels: '
                    WHEN 2 THEN 'Planned for time (latency), weights moved by kernels: '
                    ELSE 'Read in place (direct), nothing moved: ' END
           || printf('%.2f to %.2f times as fast as preload (geometric mean %.2f of %d; shown in %d, slower in %d), with '
                     || '%.2f to %.2f times less memory on average. Overlap could gain at most %.2f to %.2f times over a '
                     || 'preload that wastes nothing.', min(t), max(t), exp(avg(ln(t))), count(*), sum(faster),
                     sum(slower), min(b), max(b), min(ceiling), max(ceiling))
    FROM way GROUP BY way
    UNION ALL
    SELECT 0, 4, printf('Within a limit of memory: %.2f to %.2f times the larger of all reads and all kernels alone, on %d '
                        || 'models in %d settings', min(t), max(t), count(DISTINCT model), count(*))
                 || coalesce(printf('; at its peak %.1f to %.1f times less than preload.', min(b), max(b)), '.')
    FROM limited HAVING count(*) > 0
    UNION ALL
    SELECT 0, 5, printf('One after another, %d requests: %.1f s within %.0f MB, preloaded %.1f s and %.0f MB at most; %.2f '
                        || 'times as fast, %.2f times less memory on average.', q.requests, q.total_ns / 1e9,
                        q.memory_limit_bytes / 1e6, b.total_ns / 1e9, b.peak_bytes / 1e6,
                        1.0 * b.total_ns / q.total_ns, b.avg_bytes / q.avg_bytes)
    FROM (SELECT *, max(taken_utc) FROM pass WHERE policy <> 'preload' AND NOT preempt AND workload LIKE '%paper%') q
    JOIN pass b ON b.session_id = q.session_id AND b.policy = 'preload' AND NOT b.preempt
    UNION ALL
    SELECT 1, printf('%020.0f', r.place) || r.model || r.form_place || r.setting,
           r.model || ' (' || r.setting || '): streaming (' || r.policy || ') '
           || printf('%.*f ms [%.*f, %.*f]', (ms < 100) + (ms < 10), ms,
                     (ms < 100) + (ms < 10), r.integrated_low_ns / 1e6,
                     (ms < 100) + (ms < 10), r.integrated_high_ns / 1e6)
           || CASE WHEN p_ms IS NULL THEN '; preload was not run beside it, so nothing is compared.'
              ELSE printf(' against preload %.*f ms [%.*f, %.*f]', (p_ms < 100) + (p_ms < 10), p_ms,
                          (p_ms < 100) + (p_ms < 10), p_low / 1e6,
                          (p_ms < 100) + (p_ms < 10), p_high / 1e6)
                   || CASE WHEN r.integrated_high_ns < p_low
                           THEN printf(': %.2f times faster', p_ms / ms)
                           WHEN r.integrated_low_ns > p_high
                           THEN printf(': %.2f times slower', ms / p_ms)
                           ELSE printf(': intervals overlap: no difference shown (medians: %.2f times %s)',
                                       max(p_ms / ms, ms / p_ms), iif(ms <= p_ms, 'faster', 'slower'))
                      END
                   || printf('. Average memory %.*f of %.*f MB, %.2f times %s; peak %.*f of %.*f MB.',
                             (avg < 100) + (avg < 10), avg, (p_avg < 100) + (p_avg < 10), p_avg,
                             max(p_avg / avg, avg / p_avg), iif(avg <= p_avg, 'less', 'more'),
                             (peak < 100) + (peak < 10), peak, (p_peak < 100) + (p_peak < 10), p_peak)
                   || coalesce(printf(' Over a preload that wastes nothing, overlap gains at most %.2f times.',
                                      nullif((disk_ns + kernel_ns) / bound_ns, 0)), '')
                   || iif(l.flashmem_ms IS NULL OR l.smartmem_exec_ms IS NULL, '',
                          printf(' The paper, on a phone, against SmartMem: %.1f times faster, '
                                 || '%.1f times less memory.',
                                 (l.smartmem_init_ms + l.smartmem_exec_ms) / CAST(l.flashmem_ms AS REAL),
                                 CAST(m.smartmem_mb AS REAL) / m.flashmem_mb))
              END
    FROM pair r
    LEFT JOIN paper_table7_latency l ON l.model = r.model
    LEFT JOIN paper_table8_memory m ON m.model = r.model
    WHERE rank = 1
      AND (r.preload_id IS NOT NULL
           OR r.memory_limit_bytes IS NULL AND NOT EXISTS (SELECT 1 FROM pair o WHERE o.model = r.model AND o.preload_id IS NOT NULL))
    UNION ALL
    SELECT 2, r.dtype || r.path,
           printf('Predicting shapes never seen (%s %s): latency within 10 %% for %.0f %% of %d kernels',
                  r.dtype, r.path, 100 * m.within_10pct, m.samples)
           || coalesce((SELECT printf(', slowdown under load for %.0f %% of %d samples', 100 * sm.within_10pct,
                                      sm.samples)
                        FROM current_regressor s
                        JOIN metric sm ON sm.regressor_id = s.id AND sm.scope = 'all' AND sm.noisy = 1
                        WHERE s.device_id = r.device_id AND s.target = 'slowdown'
                          AND s.dtype = r.dtype AND s.path = r.path), '') || '.'
    FROM current_regressor r
    JOIN metric m ON m.regressor_id = r.id AND m.scope = 'all' AND m.noisy = 1
    WHERE r.device_id = ?1 AND r.target = 'latency'
    UNION ALL
    SELECT 3, '', printf('Measured on %s (%s %s), host %s with %d cores; %d configurations swept, %d of '
                         || 'them noisy.', d.name, d.platform, d.driver, s.cpu, s.cpus,
                         (SELECT count(*) FROM current_sample WHERE device_id = ?1),
                         (SELECT count(*) FROM current_sample WHERE device_id = ?1 AND status = 'noisy'))
    FROM device d JOIN session s ON s.device_id = d.id
    WHERE d.id = ?1 AND s.id = (SELECT id FROM session WHERE device_id = ?1
                                ORDER BY started_utc DESC, uuid DESC LIMIT 1)
)
SELECT text AS "summary" FROM line ORDER BY part, name;
