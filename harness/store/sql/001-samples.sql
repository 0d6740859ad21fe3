-- 001: devices, sessions, configurations and samples: what a sweep measures.
-- Units are in the names; times are integers in ns, UTC is ISO 8601. NULL means unknown, never zero.

-- An OpenCL device under one driver.
CREATE TABLE device (
    id INTEGER PRIMARY KEY,
    platform TEXT NOT NULL,      -- CL_PLATFORM_NAME
    name TEXT NOT NULL,          -- CL_DEVICE_NAME
    version TEXT NOT NULL,      -- CL_DEVICE_VERSION
    driver TEXT NOT NULL,       -- CL_DRIVER_VERSION: a new driver is a new device
    type TEXT NOT NULL,         -- cpu, gpu, other
    image_width INTEGER NOT NULL, -- limit of 2-D images, texels; drifts on PoCL
    image_height INTEGER NOT NULL, -- limit of 2-D images, texels; drifts on PoCL
    local_bytes INTEGER NOT NULL, -- CL_DEVICE_LOCAL_MEM_SIZE
    unified INTEGER NOT NULL,   -- 1: host and device share memory
    half_images INTEGER NOT NULL, -- 1: 16-bit floats in images, read and written
    compute_units INTEGER NOT NULL, -- CL_DEVICE_MAX_COMPUTE_UNITS
    max_group INTEGER NOT NULL,  -- CL_DEVICE_MAX_WORK_GROUP_SIZE
    timer_ns INTEGER NOT NULL,   -- CL_DEVICE_PROFILING_TIMER_RESOLUTION
    UNIQUE (platform, name, driver)
) STRICT;

-- One run of one command on one machine.
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,  -- so that merging databases twice adds nothing
    device_id INTEGER NOT NULL REFERENCES device (id),
    started_utc TEXT NOT NULL,   -- when the command began
    ended_utc TEXT,             -- NULL: still running, or killed
    host TEXT NOT NULL,          -- the machine's name
    os TEXT NOT NULL,            -- kernel and distribution
    cpu TEXT NOT NULL,           -- model, as the kernel names it
    cpus INTEGER NOT NULL,       -- online
    memory_bytes INTEGER NOT NULL, -- the host's
    program TEXT NOT NULL,      -- version and revision, with -dirty
    compiler TEXT NOT NULL,      -- that built the program
    command TEXT NOT NULL,       -- as a shell would take it
    clock_mhz INTEGER,          -- of the device when the session began
    temperature_c REAL,          -- of the device when the session began
    load_avg REAL               -- of the host when the session began: was it quiet?
) STRICT;

-- Everything that can change a kernel's time. `key` is its one canonical spelling.
CREATE TABLE config (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,   -- case|variant|load=BYTES|cache=..: made by sweep_key()
    op TEXT NOT NULL,            -- the operator's name
    class TEXT NOT NULL,        -- elemental, reusable, hierarchical
    shape TEXT NOT NULL,        -- the case's parameters, "m=128,n=768,k=768"
    dtype TEXT NOT NULL,         -- storage: f32, f16
    path TEXT NOT NULL,         -- image, buffer
    kernel TEXT NOT NULL,       -- direct, staged, ...
    form TEXT NOT NULL,         -- naive, branching, pipelined
    variant TEXT NOT NULL,      -- the whole variant, as op_variant_parse() reads it
    gws TEXT NOT NULL,          -- "192x32"
    lws TEXT NOT NULL,          -- "8x8"; "auto" leaves it to the driver
    tile TEXT NOT NULL,         -- tunables, "TM=8,TN=8"
    loop_order TEXT NOT NULL,    -- tunable ORDER of products, else empty
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
    taken_utc TEXT NOT NULL,     -- when it was stored
    status TEXT NOT NULL CHECK (status IN ('ok', 'noisy', 'wrong', 'build_failed', 'launch_failed',
        'timeout', 'crashed', 'out_of_memory', 'unsupported')), -- times are of ok and noisy
    error TEXT,                 -- why not ok
    build_hash TEXT,            -- of sources and options
    timer TEXT,                 -- event, host
    batch INTEGER,              -- launches per repeat
    repeats INTEGER,            -- per side
    median_ns REAL, low_ns REAL, high_ns REAL, mad_ns REAL, -- low, high: 95 % bootstrap interval
    base_median_ns REAL,        -- naive form without load, measured in the same block
    slowdown REAL, slowdown_low REAL, slowdown_high REAL, -- pair by pair; NULL without load
    worst_error REAL,           -- of the verification, relative
    build_ns INTEGER, verify_ns INTEGER, warmup_ns INTEGER,        -- where the time went
    flush_ns INTEGER, measure_ns INTEGER,                          -- where the time went
    UNIQUE (session_id, config_id)
) STRICT;
CREATE INDEX sample_config ON sample (config_id);

-- Every repeat, in the order taken. side 0: base, side 1: with load; without load there is side 0.
CREATE TABLE repeat (
    sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
    side INTEGER NOT NULL,       -- 0: base, or all there is; 1: with load
    seq INTEGER NOT NULL,        -- from 0, in the order taken
    time_ns INTEGER NOT NULL,    -- of one launch: over a batch, the mean
    PRIMARY KEY (sample_id, side, seq)
) STRICT, WITHOUT ROWID;
