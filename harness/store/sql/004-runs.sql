-- 004: replays of whole models. Columns follow `flashmem replay --format csv`.

-- A replay of one model under one policy: the medians of its repeats.
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES session (id),
    plan_id INTEGER REFERENCES plan (id), -- NULL: its policy needs none
    taken_utc TEXT NOT NULL,     -- when it was stored
    model TEXT NOT NULL,         -- name
    policy TEXT NOT NULL,        -- that made the plan
    dtype TEXT NOT NULL,         -- storage: f32, f16
    path TEXT NOT NULL,          -- image, buffer
    kernel TEXT NOT NULL,           -- form that carries the load
    reader TEXT NOT NULL,           -- ahead, at-plan
    source TEXT NOT NULL,           -- disk, ram (emulated), disk@RATE (throttled)
    cache TEXT NOT NULL,            -- cold, warm
    memory_limit_bytes INTEGER,     -- NULL: none
    repeats INTEGER NOT NULL,    -- that the medians are of
    setup_ns INTEGER NOT NULL,      -- context and queues: outside integrated time
    build_ns INTEGER NOT NULL,      -- programs: outside integrated time
    init_ns REAL, exec_ns REAL,     -- medians; init ends when the first layer may start
    integrated_ns REAL NOT NULL,    -- median: first byte asked for to last output
    integrated_low_ns REAL NOT NULL, integrated_high_ns REAL NOT NULL, -- its 95 % interval
    integrated_mean_ns REAL NOT NULL, -- for comparison with the paper
    peak_bytes INTEGER NOT NULL,    -- accounted, all kinds together
    avg_bytes REAL NOT NULL,        -- over the integrated time
    mem_byte_s REAL NOT NULL,       -- its integral
    rss_peak_bytes INTEGER,         -- the process's own, above its baseline
    bytes_read INTEGER NOT NULL, -- from the disk, of weights
    disk_ns REAL, kernel_ns REAL, bound_ns REAL, -- medians of the controls; bound: the larger
    predicted_ns REAL,           -- the plan's simulated latency
    energy_j REAL,                  -- NULL: this device does not tell
    verified TEXT,                  -- yes, no, NULL: not asked
    verify_error REAL,              -- relative L2 against the reference
    output_hash TEXT NOT NULL,      -- of the output's bytes: equal hashes are bit-identical outputs
    status TEXT NOT NULL,           -- ok, noisy (the interval is wider than the target)
    note TEXT                    -- what else there is to say
) STRICT;

-- Each repeat of a run.
CREATE TABLE run_repeat (
    run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,        -- from 0; equal in policies that took turns
    integrated_ns INTEGER NOT NULL, -- from the first byte asked for to the last output
    init_ns INTEGER NOT NULL,    -- until the first layer may start
    disk_ns INTEGER, kernel_ns INTEGER, -- the two controls measured beside this repeat
    peak_bytes INTEGER NOT NULL, -- of all kinds together
    avg_bytes REAL NOT NULL,     -- over the integrated time
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- The memory timeline of the median repeat.
CREATE TABLE run_memory (
    run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,        -- from 0
    t_ns INTEGER NOT NULL,       -- since the first byte was asked for
    staging_bytes INTEGER NOT NULL, um_bytes INTEGER NOT NULL,     -- live then, by kind
    texture_bytes INTEGER NOT NULL,                                -- live then, by kind
    activation_bytes INTEGER NOT NULL, host_bytes INTEGER NOT NULL, -- live then, by kind
    rss_bytes INTEGER,           -- the process's own, above its baseline
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- Per layer, from a separate profiled run.
CREATE TABLE run_layer (
    run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    layer INTEGER NOT NULL,         -- from 1
    name TEXT NOT NULL,          -- of the layer
    op TEXT NOT NULL,            -- its operator's name
    start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, -- device time since the run began
    load_bytes INTEGER NOT NULL,    -- carried by this layer
    predicted_ns REAL,              -- with that load
    PRIMARY KEY (run_id, layer)
) STRICT, WITHOUT ROWID;
