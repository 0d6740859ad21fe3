-- Figure 4: predicted against measured latency, out of fold.
SELECT '' AS panel, class AS series, measured / 1e6 AS measured_ms, predicted / 1e6 AS predicted_ms,
       op, shape
FROM current_prediction
WHERE device_id = ?1 AND target = 'latency'
ORDER BY 2, 3;
