-- 014: what a regressor is worth beside less than it, beside a second measurement, and under other splits than
-- the one by shape, which its metrics are of (flashmem train --compare).
CREATE TABLE score (
    regressor_id INTEGER NOT NULL REFERENCES regressor (id) ON DELETE CASCADE,
    split TEXT NOT NULL,         -- shape, random, model, again, transfer, or the name of the model left out
    method TEXT NOT NULL,        -- blended, boosted, smooth, roofline, linear, measured
    scope TEXT NOT NULL,         -- all, models, a class, an operator
    samples INTEGER NOT NULL,    -- that were predicted
    within_5pct REAL, within_10pct REAL, mape REAL, rmspe REAL, spearman REAL, -- fractions
    PRIMARY KEY (regressor_id, split, method, scope)
) STRICT, WITHOUT ROWID;
