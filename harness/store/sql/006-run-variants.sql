-- 006: layers run in the fastest variant known, which is not always the operator's default.
-- Rows from before stay NULL: they ran in the default of their time.
ALTER TABLE run_layer ADD COLUMN variant TEXT; -- as launched, with its loads
