-- 003: overlap plans. Layers count from 1, as in the method; layer 0 is before execution.

CREATE TABLE plan (
    id INTEGER PRIMARY KEY,
    made_utc TEXT NOT NULL,
    device_id INTEGER REFERENCES device (id), -- whose capacities; NULL for a bare instance
    model TEXT NOT NULL,
    dtype TEXT NOT NULL,
    path TEXT NOT NULL,
    policy TEXT NOT NULL,
    price TEXT NOT NULL,            -- bytes, count
    limit_reading TEXT NOT NULL,    -- streamed, resident, unified, literal
    m_peak_bytes INTEGER,           -- NULL: none
    memory_limit_bytes INTEGER,     -- NULL: none
    lambda REAL NOT NULL,
    chunk_bytes INTEGER NOT NULL,
    capacity_source TEXT NOT NULL,  -- regressor ID, or how else capacities came about
    objective REAL NOT NULL,        -- lambda * price(W) + (1 - lambda) * distance
    lower_bound REAL,               -- proven; NULL: none
    status TEXT NOT NULL,           -- OPTIMAL, FEASIBLE, INFEASIBLE
    preloaded_bytes INTEGER NOT NULL,
    peak_bytes INTEGER NOT NULL,    -- predicted, weights and unified memory under the reading
    predicted_ns REAL,              -- integrated latency; NULL: this policy predicts none
    solve_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE plan_weight (
    plan_id INTEGER NOT NULL REFERENCES plan (id) ON DELETE CASCADE,
    weight TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    consumer INTEGER NOT NULL,      -- i_w
    preload INTEGER NOT NULL,
    load_layer INTEGER,             -- z_w; NULL when preloaded
    PRIMARY KEY (plan_id, weight)
) STRICT, WITHOUT ROWID;

CREATE TABLE plan_load (            -- x[w,l] > 0
    plan_id INTEGER NOT NULL REFERENCES plan (id) ON DELETE CASCADE,
    weight TEXT NOT NULL,
    layer INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    PRIMARY KEY (plan_id, weight, layer)
) STRICT, WITHOUT ROWID;
