-- 010: runs of one model differ in more than their columns say: in the planner's parameters, in tuned or
-- default kernels, in layers split. A run with such options is a configuration of its own, and never
-- takes the place of one without. Rows from before stay NULL: their session's command tells.
ALTER TABLE run ADD COLUMN options TEXT; -- not at their default and held by no other column: "--split"
