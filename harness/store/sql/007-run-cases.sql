-- 007: layers are known by their case, so that the times of one model, however it was cut, correct
-- the predictions of another. Rows from before stay NULL: names alone do not tell.
ALTER TABLE run_layer ADD COLUMN op_case TEXT; -- "op:dtype:name=value,..."
CREATE INDEX run_layer_case ON run_layer (op_case, variant);
