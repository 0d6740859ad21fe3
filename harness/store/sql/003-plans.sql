-- 003: overlap plans. Layers count from 1, as in the method; layer 0 is before execution.

-- What to preload, and in which layers' kernels to carry the rest.
CREATE TABLE plan (
    id INTEGER PRIMARY KEY,
    made_utc TEXT NOT NULL,      -- when
    device_id INTEGER REFERENCES device (id), -- whose capacities; NULL for a bare instance
    model TEXT NOT NULL,         -- name, or the instance
    dtype TEXT NOT NULL,         -- of the weights; empty for a bare instance
    path TEXT NOT NULL,          -- image, buffer; empty for a bare instance
    policy TEXT NOT NULL,        -- that made it
    price TEXT NOT NULL,            -- bytes, count
    limit_reading TEXT NOT NULL,    -- streamed, resident, unified, literal
    m_peak_bytes INTEGER,           -- NULL: none
    memory_limit_bytes INTEGER,     -- NULL: none
    lambda REAL NOT NULL,        -- weight of preloading in the objective
    chunk_bytes INTEGER NOT NULL, -- S, the unit in which weights move
    capacity_source TEXT NOT NULL,  -- regressor ID, or how else capacities came about
    objective REAL NOT NULL,        -- lambda * price(W) + (1 - lambda) * distance
    lower_bound REAL,               -- proven; NULL: none
    status TEXT NOT NULL,           -- OPTIMAL, FEASIBLE, INFEASIBLE
    preloaded_bytes INTEGER NOT NULL, -- weights in W, loaded before execution
    peak_bytes INTEGER NOT NULL,    -- predicted, weights and unified memory under the reading
    predicted_ns REAL,              -- integrated latency; NULL: this policy predicts none
    solve_ns INTEGER NOT NULL    -- time that planning took
) STRICT;

-- A plan's weights.
CREATE TABLE plan_weight (
    plan_id INTEGER NOT NULL REFERENCES plan (id) ON DELETE CASCADE,
    weight TEXT NOT NULL,        -- name
    bytes INTEGER NOT NULL,      -- size in the weights file
    chunks INTEGER NOT NULL,     -- bytes / chunk_bytes, rounded up
    consumer INTEGER NOT NULL,      -- i_w
    preload INTEGER NOT NULL,    -- 1: in W
    load_layer INTEGER,             -- z_w; NULL when preloaded
    PRIMARY KEY (plan_id, weight)
) STRICT, WITHOUT ROWID;

CREATE TABLE plan_load (            -- x[w,l] > 0
    plan_id INTEGER NOT NULL REFERENCES plan (id) ON DELETE CASCADE,
    weight TEXT NOT NULL,        -- name
    layer INTEGER NOT NULL,      -- that carries it
    chunks INTEGER NOT NULL,     -- that it carries
    PRIMARY KEY (plan_id, weight, layer)
) STRICT, WITHOUT ROWID;
