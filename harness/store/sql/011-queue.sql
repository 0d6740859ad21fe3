-- 011: queues of models. Columns follow `flashmem queue --format csv`.

-- One pass over a workload: its requests one after another, within one memory limit.
CREATE TABLE queue (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES session (id),
    taken_utc TEXT NOT NULL,     -- when it was stored
    workload TEXT NOT NULL,      -- the file, as it was named
    order_seed INTEGER,          -- of the order in which requests stand; NULL: the file's
    policy TEXT NOT NULL,        -- that made the plans
    dtype TEXT NOT NULL,         -- storage: f32, f16, mixed
    path TEXT NOT NULL,          -- image, buffer
    kernel TEXT NOT NULL,        -- form that carries the load
    reader TEXT NOT NULL,        -- ahead, at-plan
    source TEXT NOT NULL,        -- disk, ram (emulated), disk@RATE (throttled)
    cache TEXT NOT NULL,         -- cold, warm
    memory_limit_bytes INTEGER,  -- of everything together; NULL: none
    overlap INTEGER NOT NULL,    -- 1: the next model reads before its turn
    preempt INTEGER NOT NULL,    -- 1: urgent requests interrupt; 0: first in, first out
    requests INTEGER NOT NULL,   -- in the workload
    build_ns INTEGER NOT NULL,   -- programs of all models: before total_ns
    total_ns INTEGER NOT NULL,   -- from the first arrival to the last output
    peak_bytes INTEGER NOT NULL, -- accounted, all kinds and models together
    avg_bytes REAL NOT NULL,     -- over total_ns
    mem_byte_s REAL NOT NULL,    -- its integral
    rss_peak_bytes INTEGER,      -- the process's own, above its baseline
    status TEXT NOT NULL         -- ok, failed, interrupted: the steps that were finished are there
) STRICT;

-- Each request of it, in the order of the queue.
CREATE TABLE queue_step (
    queue_id INTEGER NOT NULL REFERENCES queue (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,       -- from 1
    model TEXT NOT NULL,         -- name
    priority INTEGER NOT NULL,   -- above 0: urgent
    arrive_ns INTEGER NOT NULL,  -- when it was asked for, since the queue began
    start_ns INTEGER,            -- when its first byte was asked for; NULL: not run
    turn_ns INTEGER,             -- when the device became its own
    end_ns INTEGER,              -- its last output
    paused_ns INTEGER,           -- of that, what urgent requests had
    paused_layer INTEGER,        -- before which it first stopped for one, from 1; NULL: none
    alone_ns INTEGER NOT NULL,   -- integrated latency of one run with nothing else under way
    peak_bytes INTEGER,          -- its own
    bytes_read INTEGER,          -- from the disk, of weights
    verified TEXT,               -- yes, no: its output is, bit for bit, that of the run alone
    verify_error REAL,           -- of that run: relative L2 against the reference; NULL: not asked
    PRIMARY KEY (queue_id, step)
) STRICT, WITHOUT ROWID;

-- The memory timeline of a pass, all models together: of each stretch the point with the most.
CREATE TABLE queue_memory (
    queue_id INTEGER NOT NULL REFERENCES queue (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,        -- from 0
    t_ns INTEGER NOT NULL,       -- since the queue began
    staging_bytes INTEGER NOT NULL, um_bytes INTEGER NOT NULL,      -- live then, by kind
    texture_bytes INTEGER NOT NULL,                                 -- live then, by kind
    activation_bytes INTEGER NOT NULL, host_bytes INTEGER NOT NULL, -- live then, by kind
    rss_bytes INTEGER,           -- the process's own, above its baseline; NULL: not sampled then
    PRIMARY KEY (queue_id, seq)
) STRICT, WITHOUT ROWID;
