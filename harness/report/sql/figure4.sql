-- Figure 4: predicted against measured latency, out of fold.
SELECT '' AS panel, c.class AS series, p.measured / 1e6 AS measured_ms,
       p.predicted / 1e6 AS predicted_ms, c.op AS op, c.shape AS shape
FROM current_regressor r
JOIN prediction p ON p.regressor_id = r.id
JOIN sample s ON s.id = p.sample_id
JOIN config c ON c.id = s.config_id
WHERE r.device_id = ?1 AND r.target = 'latency'
ORDER BY 2, 3;
