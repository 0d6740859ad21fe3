-- What came out, in sentences: for each model, storage and path the streaming policy (lc-opg where it ran) against the
-- preload that took turns with it. Every number is computed here; digits follow the size.
WITH pair AS (
    SELECT r.*, p.integrated_ns / 1e6 AS p_ms, p.integrated_low_ns AS p_low,
           p.integrated_high_ns AS p_high, p.avg_bytes / 1e6 AS p_avg, p.peak_bytes / 1e6 AS p_peak,
           r.integrated_ns / 1e6 AS ms, r.avg_bytes / 1e6 AS avg, r.peak_bytes / 1e6 AS peak,
           row_number() OVER (PARTITION BY r.model, r.dtype, r.path, r.cache
                              ORDER BY r.preload_id IS NULL, r.memory_limit_bytes IS NOT NULL,
                                       r.kernel <> 'pipelined', r.policy <> 'lc-opg', r.policy,
                                       r.kernel) AS rank
    FROM current_run r LEFT JOIN run p ON p.id = r.preload_id
    WHERE r.device_id = ?1 AND r.listed AND r.policy <> 'preload'
), line (part, name, text) AS (
    SELECT 1, r.model || r.setting,
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
