-- What the numbers were measured on: the newest session of the device.
WITH now AS (SELECT * FROM session WHERE device_id = ?1 ORDER BY started_utc DESC, uuid DESC LIMIT 1),
     d AS (SELECT * FROM device WHERE id = ?1)
SELECT 'device' AS "what", name || ' (' || type || ')' AS "value" FROM d
UNION ALL SELECT 'platform, driver', platform || ', ' || driver FROM d
UNION ALL SELECT 'host CPU', cpu || ', ' || cpus || ' cores' FROM now
UNION ALL SELECT 'memory', printf('%.1f GB', memory_bytes / 1e9) FROM now
UNION ALL SELECT 'system', os FROM now
UNION ALL SELECT 'programs of the rows shown', (SELECT replace(group_concat(DISTINCT s.program), ',', ', ') FROM session s
    WHERE s.id IN (SELECT session_id FROM current_run WHERE device_id = ?1
                   UNION SELECT session_id FROM current_sample WHERE device_id = ?1))
UNION ALL SELECT 'compiler', compiler FROM now
UNION ALL SELECT 'newest session (UTC)', started_utc FROM now
UNION ALL SELECT 'load average then', printf('%.2f', load_avg) FROM now WHERE load_avg IS NOT NULL;
