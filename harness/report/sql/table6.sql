-- Table 6: the models, counted from datasets/models, beside the paper's figures; and in which storage each
-- has run here.
SELECT z.model AS "model", round(z.params / 1e6, 1) AS "parameters (M)", round(z.macs / 1e9, 2) AS "MACs (G)",
       z.layers AS "operators", round(2 * z.params / 1e6, 0) AS "f16 weights (MB)",
       (SELECT group_concat(DISTINCT dtype) FROM current_run r WHERE r.model = z.model AND r.device_id = ?1)
           AS "ran here as",
       t.input AS "paper: input", t.task AS "paper: task", CAST(t.params_m AS REAL) AS "paper: parameters (M)",
       CAST(t.macs_g AS REAL) AS "paper: MACs (G)", CAST(t.layers AS INTEGER) AS "paper: operators",
       round(z.params / 1e6 / t.params_m, 2) AS "parameters: ours / paper",
       round(z.macs / 1e9 / t.macs_g, 2) AS "MACs: ours / paper",
       iif(t.abbr IS NULL, 'for plans alone: the paper''s Table 4 has it', c.reason) AS "why it differs"
FROM zoo z LEFT JOIN paper_table6_models t ON t.abbr = z.model
LEFT JOIN zoo_counts c ON c.model = z.model
ORDER BY t.abbr IS NULL, z.params;
