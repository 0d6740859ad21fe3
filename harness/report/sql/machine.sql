-- What the numbers were measured on: the newest session of the device.
SELECT d.name AS "device", d.platform AS "platform", d.driver AS "driver", d.type AS "type",
       s.cpu AS "host CPU", s.cpus AS "cores", s.os AS "system",
       round(s.memory_bytes / 1e9, 1) AS "memory (GB)", s.program AS "program", s.compiler AS "compiler",
       s.started_utc AS "newest session (UTC)"
FROM device d JOIN session s ON s.device_id = d.id
WHERE d.id = ?1
ORDER BY s.id DESC LIMIT 1;
