-- 009: two machines may have devices of the same name and driver that are not alike: what tells a
-- PoCL of 2 cores from one of 64 is how many there are. And other frameworks run on the same models,
-- beside a device of ours.

-- SQLite cannot change a constraint, so that the table is made anew; what each column means stands
-- in 001. Rows that refer to it find theirs again before the commit.
PRAGMA defer_foreign_keys = ON;
CREATE TEMP TABLE device_before AS SELECT * FROM device;
DROP TABLE device;
CREATE TABLE "device" (
    id INTEGER PRIMARY KEY,
    platform TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    driver TEXT NOT NULL,
    type TEXT NOT NULL,
    image_width INTEGER NOT NULL,
    image_height INTEGER NOT NULL,
    local_bytes INTEGER NOT NULL,
    unified INTEGER NOT NULL,
    half_images INTEGER NOT NULL,
    compute_units INTEGER NOT NULL,
    max_group INTEGER NOT NULL,
    timer_ns INTEGER NOT NULL,
    UNIQUE (platform, name, driver, compute_units)
) STRICT;
INSERT INTO device SELECT * FROM temp.device_before;
DROP TABLE temp.device_before;

-- Another framework on one of the models, as scripts/peers/run measured it: medians of its starts,
-- each in a process of its own, with the pages of the model's files dropped before.
CREATE TABLE peer_run (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id), -- ours, on the same machine: what it stands beside
    taken_utc TEXT NOT NULL,     -- when its last start ended
    host TEXT NOT NULL,          -- the machine's name
    cpu TEXT NOT NULL,           -- model, as the kernel names it
    framework TEXT NOT NULL,     -- onnxruntime, mnn, ...
    version TEXT NOT NULL,       -- as the framework says
    backend TEXT NOT NULL,       -- cpu, ...
    model TEXT NOT NULL,         -- name
    dtype TEXT NOT NULL,         -- of the weights: f32, f16
    threads INTEGER NOT NULL,    -- that it was allowed
    rounds INTEGER NOT NULL,     -- starts
    load_ns INTEGER,             -- median; NULL: loading is a part of init
    init_ns INTEGER,             -- median
    first_ns INTEGER,            -- median of first runs
    steady_ns INTEGER,           -- median of further runs
    integrated_ns INTEGER,       -- median of load + init + first
    integrated_low_ns INTEGER, integrated_high_ns INTEGER, -- its 95 % interval
    peak_bytes INTEGER,          -- resident, above what the framework itself takes once imported
    avg_bytes INTEGER,           -- the same, averaged from the first byte loaded to the first output
    cache TEXT NOT NULL CHECK (cache IN ('cold', 'warm')), -- cold: files read from the disk
    error REAL,                  -- of the outputs, the greatest relative L2
    status TEXT NOT NULL,        -- ok, or why there are no times
    UNIQUE (host, taken_utc, framework, backend, model, dtype, threads)
) STRICT;
