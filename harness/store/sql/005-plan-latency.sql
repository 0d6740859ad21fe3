-- 005: plans carry the latency that they were made for. predicted_ns of 003 is the simulated latency.

ALTER TABLE plan ADD COLUMN latency_bound_ns REAL;  -- proven; NULL: none
ALTER TABLE plan ADD COLUMN disk_bytes_per_s REAL;  -- predicted with; NULL: not known
