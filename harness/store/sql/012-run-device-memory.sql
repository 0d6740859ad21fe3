-- 012: devices with memory of their own say how much of it is in use; the ledger and the process's
-- memory do not show what a driver keeps. Rows from before stay NULL.
ALTER TABLE run ADD COLUMN device_peak_bytes INTEGER; -- by NVML, above what it said before the run's ring; NULL: unknown
