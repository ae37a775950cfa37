-- How far did each training come?
--
-- training  name of the training
-- kind      what was trained: upmap, clone, bc, td3bc, ...
-- status    running, finished or failed
-- metric    what was measured
-- first     its first value
-- last      its last value
-- step      updates made before the last one was measured
-- n         values
SELECT t.name AS training, t.kind, t.status, b.metric,
  (SELECT f.value FROM training_steps f WHERE f.training = t.name AND f.metric = b.metric AND f.step = b.lowest) AS first,
  (SELECT l.value FROM training_steps l WHERE l.training = t.name AND l.metric = b.metric AND l.step = b.highest) AS last,
  b.highest AS step, b.n
FROM training_runs t
JOIN (
  SELECT training, metric, min(step) AS lowest, max(step) AS highest, count(*) AS n FROM training_steps GROUP BY training, metric
) b ON b.training = t.name
ORDER BY t.created, t.name, b.metric
