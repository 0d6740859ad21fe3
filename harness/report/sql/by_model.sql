-- Model by model, in sentences: for each storage and path the streaming policy (lc-opg where it ran) against the preload that
-- took turns with it; of models that never had one, that. Digits follow the size.
WITH line AS (
    SELECT printf('%020.0f', r.place) || r.model || r.form_place || r.setting AS name,
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
              END AS text
    FROM current_pair r
    LEFT JOIN paper_table7_latency l ON l.model = r.model
    LEFT JOIN paper_table8_memory m ON m.model = r.model
    WHERE r.device_id = ?1 AND rank = 1
      AND (r.preload_id IS NOT NULL
           OR r.memory_limit_bytes IS NULL
              AND NOT EXISTS (SELECT 1 FROM current_pair o
                              WHERE o.device_id = r.device_id AND o.model = r.model AND o.preload_id IS NOT NULL))
)
SELECT text AS "model by model" FROM line ORDER BY name;
