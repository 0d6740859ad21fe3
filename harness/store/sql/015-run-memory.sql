-- 015: what a plan's ledger was predicted to hold, what its schedule takes at least, and the process's own
-- memory repeat by repeat: in sequences the first differs from the later ones. Rows from before stay NULL.
ALTER TABLE run ADD COLUMN predicted_peak_bytes INTEGER; -- accounted, all kinds together; NULL: unknown
ALTER TABLE run ADD COLUMN least_ns REAL; -- the plan's schedule in time, disk and kernels each as fast as alone: no run of it is faster
ALTER TABLE run_repeat ADD COLUMN rss_peak_bytes INTEGER; -- the process's own, above its baseline; of a sequence: before its first run
