-- 004: replays of whole models. Columns follow `flashmem replay --format csv`.

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES session (id),
    plan_id INTEGER REFERENCES plan (id),
    taken_utc TEXT NOT NULL,
    model TEXT NOT NULL,
    policy TEXT NOT NULL,
    dtype TEXT NOT NULL,
    path TEXT NOT NULL,
    kernel TEXT NOT NULL,           -- form that carries the load
    reader TEXT NOT NULL,           -- ahead, at-plan
    source TEXT NOT NULL,           -- disk, ram (emulated), disk@RATE (throttled)
    cache TEXT NOT NULL,            -- cold, warm
    memory_limit_bytes INTEGER,     -- NULL: none
    repeats INTEGER NOT NULL,
    setup_ns INTEGER NOT NULL,      -- context and queues: outside integrated time
    build_ns INTEGER NOT NULL,      -- programs: outside integrated time
    init_ns REAL, exec_ns REAL,     -- medians; init ends when the first layer may start
    integrated_ns REAL NOT NULL, integrated_low_ns REAL NOT NULL, integrated_high_ns REAL NOT NULL,
    integrated_mean_ns REAL NOT NULL,
    peak_bytes INTEGER NOT NULL, avg_bytes REAL NOT NULL, mem_byte_s REAL NOT NULL,
    rss_peak_bytes INTEGER,         -- the process's own, above its baseline
    bytes_read INTEGER NOT NULL,
    disk_ns REAL, kernel_ns REAL, bound_ns REAL,
    predicted_ns REAL,
    energy_j REAL,                  -- NULL: this device does not tell
    verified TEXT,                  -- yes, no, NULL: not asked
    verify_error REAL,              -- relative L2 against the reference
    output_hash TEXT NOT NULL,      -- of the output's bytes: equal hashes are bit-identical outputs
    status TEXT NOT NULL,           -- ok, noisy (the interval is wider than the target)
    note TEXT
) STRICT;

CREATE TABLE run_repeat (
    run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    integrated_ns INTEGER NOT NULL,
    init_ns INTEGER NOT NULL,
    disk_ns INTEGER, kernel_ns INTEGER, -- the two controls measured beside this repeat
    peak_bytes INTEGER NOT NULL,
    avg_bytes REAL NOT NULL,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- The memory timeline of the median repeat.
CREATE TABLE run_memory (
    run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    t_ns INTEGER NOT NULL,
    staging_bytes INTEGER NOT NULL, um_bytes INTEGER NOT NULL, texture_bytes INTEGER NOT NULL,
    activation_bytes INTEGER NOT NULL, host_bytes INTEGER NOT NULL,
    rss_bytes INTEGER,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- Per layer, from a separate profiled run.
CREATE TABLE run_layer (
    run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    layer INTEGER NOT NULL,         -- from 1
    name TEXT NOT NULL,
    op TEXT NOT NULL,
    start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, -- device time since the run began
    load_bytes INTEGER NOT NULL,    -- carried by this layer
    predicted_ns REAL,              -- with that load
    PRIMARY KEY (run_id, layer)
) STRICT, WITHOUT ROWID;
