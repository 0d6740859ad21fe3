-- 008: on a CPU, how many cores each repeat had: what other processes took is set aside.
ALTER TABLE repeat ADD COLUMN cores REAL; -- mean number in use by the process; NULL: not a CPU, or older
ALTER TABLE repeat ADD COLUMN aside INTEGER NOT NULL DEFAULT 0; -- 1: too few of them; not in the sample's statistics
