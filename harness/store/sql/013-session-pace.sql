-- 013: on a shared host the machine itself is slow at times. What a little fixed work takes at its best
-- tells when, and a sweep that begins in a slow hour knows it from the ones before.
ALTER TABLE session ADD COLUMN pace_ns INTEGER; -- of the probe in profiler/pace.h, at its best; NULL: not a CPU, or older
