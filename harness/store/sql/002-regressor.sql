-- 002: trained latency regressors, how good they are, and what they predicted out of fold.

-- A latency regressor of one device, as trained.
CREATE TABLE regressor (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    trained_utc TEXT NOT NULL,   -- when
    target TEXT NOT NULL CHECK (target IN ('latency', 'slowdown')), -- log of each is what is learnt
    dtype TEXT NOT NULL,         -- of the samples
    path TEXT NOT NULL,          -- of the samples: image, buffer
    samples INTEGER NOT NULL,    -- that it was trained on
    shapes INTEGER NOT NULL,    -- groups of the cross-validation
    folds INTEGER NOT NULL,      -- of the cross-validation
    options TEXT NOT NULL,      -- trees, depth, eta, seed
    features TEXT NOT NULL,     -- names, in order, separated by blanks
    model_json TEXT NOT NULL    -- XGBoost's own JSON
) STRICT;

-- Out-of-fold errors. scope: all, a class, an operator; noisy: 1 counts noisy samples too.
CREATE TABLE metric (
    regressor_id INTEGER NOT NULL REFERENCES regressor (id) ON DELETE CASCADE,
    scope TEXT NOT NULL,         -- all, a class, an operator
    noisy INTEGER NOT NULL,      -- 1: noisy samples count too
    samples INTEGER NOT NULL,    -- that were predicted
    within_5pct REAL, within_10pct REAL, mape REAL, rmspe REAL, spearman REAL, -- fractions
    PRIMARY KEY (regressor_id, scope, noisy)
) STRICT, WITHOUT ROWID;

-- What a regressor said of the samples that it was not shown.
CREATE TABLE prediction (
    regressor_id INTEGER NOT NULL REFERENCES regressor (id) ON DELETE CASCADE,
    sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
    fold INTEGER NOT NULL,       -- that the sample was left out in
    predicted REAL NOT NULL,    -- ns, or a ratio for slowdown
    measured REAL NOT NULL,      -- in the same unit
    PRIMARY KEY (regressor_id, sample_id)
) STRICT, WITHOUT ROWID;
