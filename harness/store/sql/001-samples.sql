-- 001: devices, sessions, configurations and samples: what a sweep measures.
-- Units are in the names; times are integers in ns, UTC is ISO 8601. NULL means unknown, never zero.

CREATE TABLE device (
    id INTEGER PRIMARY KEY,
    platform TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,      -- CL_DEVICE_VERSION
    driver TEXT NOT NULL,       -- CL_DRIVER_VERSION: a new driver is a new device
    type TEXT NOT NULL,         -- cpu, gpu, other
    image_width INTEGER NOT NULL,
    image_height INTEGER NOT NULL,
    local_bytes INTEGER NOT NULL,
    unified INTEGER NOT NULL,   -- 1: host and device share memory
    half_images INTEGER NOT NULL,
    compute_units INTEGER NOT NULL,
    max_group INTEGER NOT NULL,
    timer_ns INTEGER NOT NULL,
    UNIQUE (platform, name, driver)
) STRICT;

-- One run of one command on one machine.
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,  -- so that merging databases twice adds nothing
    device_id INTEGER NOT NULL REFERENCES device (id),
    started_utc TEXT NOT NULL,
    ended_utc TEXT,             -- NULL: still running, or killed
    host TEXT NOT NULL,
    os TEXT NOT NULL,
    cpu TEXT NOT NULL,
    cpus INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    program TEXT NOT NULL,      -- version and revision, with -dirty
    compiler TEXT NOT NULL,
    command TEXT NOT NULL,
    clock_mhz INTEGER,          -- of the device when the session began
    temperature_c REAL,
    load_avg REAL               -- of the host when the session began: was it quiet?
) STRICT;

-- Everything that can change a kernel's time. `key` is its one canonical spelling.
CREATE TABLE config (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,   -- case|variant|load=BYTES|cache=..: made by sweep_key()
    op TEXT NOT NULL,
    class TEXT NOT NULL,        -- elemental, reusable, hierarchical
    shape TEXT NOT NULL,        -- the case's parameters, "m=128,n=768,k=768"
    dtype TEXT NOT NULL,
    path TEXT NOT NULL,         -- image, buffer
    kernel TEXT NOT NULL,       -- direct, staged, ...
    form TEXT NOT NULL,         -- naive, branching, pipelined
    variant TEXT NOT NULL,      -- the whole variant, as op_variant_parse() reads it
    gws TEXT NOT NULL,          -- "192x32"
    lws TEXT NOT NULL,          -- "8x8"; "auto" leaves it to the driver
    tile TEXT NOT NULL,         -- tunables, "TM=8,TN=8"
    loop_order TEXT NOT NULL,
    extra_ratio REAL NOT NULL,  -- asked for: bytes carried / bytes of the kernel's inputs
    load_bytes INTEGER NOT NULL, -- carried, after rounding to whole texels
    cache TEXT NOT NULL         -- flushed, hot
) STRICT;
CREATE INDEX config_op ON config (op, dtype, path);

-- One measurement of one configuration. Base columns belong to the other side of the pair.
CREATE TABLE sample (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES session (id),
    config_id INTEGER NOT NULL REFERENCES config (id),
    taken_utc TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ok', 'noisy', 'wrong', 'build_failed', 'launch_failed',
        'timeout', 'crashed', 'out_of_memory', 'unsupported')),
    error TEXT,                 -- why not ok
    build_hash TEXT,            -- of sources and options
    timer TEXT,                 -- event, host
    batch INTEGER,              -- launches per repeat
    repeats INTEGER,            -- per side
    median_ns REAL, low_ns REAL, high_ns REAL, mad_ns REAL, -- low, high: 95 % bootstrap interval
    base_median_ns REAL,        -- naive form without load, measured in the same block
    slowdown REAL, slowdown_low REAL, slowdown_high REAL, -- pair by pair; NULL without load
    worst_error REAL,           -- of the verification, relative
    build_ns INTEGER, verify_ns INTEGER, warmup_ns INTEGER, flush_ns INTEGER, measure_ns INTEGER,
    UNIQUE (session_id, config_id)
) STRICT;
CREATE INDEX sample_config ON sample (config_id);

-- Every repeat, in the order taken. side 0: base, side 1: with load; without load there is side 0.
CREATE TABLE repeat (
    sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
    side INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    PRIMARY KEY (sample_id, side, seq)
) STRICT, WITHOUT ROWID;
