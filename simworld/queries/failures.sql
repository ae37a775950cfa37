-- What failed, and who failed?
--
-- run       the run
-- boundary  who failed: model, reply, agent, human, engine
-- kind      a stable word: timeout, too-long, ...
-- n         episodes, all attempts
-- again     of them, tried again since
-- message   one of the messages
--
-- :run      only this run; default: every run
SELECT e.run, e.failure_boundary AS boundary, e.failure_kind AS kind, count(*) AS n,
  sum(CASE WHEN EXISTS (
    SELECT 1 FROM episodes l WHERE l.run = e.run AND l.item_key = e.item_key AND l.attempt > e.attempt
  ) THEN 1 ELSE 0 END) AS again,
  min(e.failure_message) AS message
FROM episodes e
WHERE e.ending = 'failed' AND (:run IS NULL OR e.run = :run)
GROUP BY e.run, e.failure_boundary, e.failure_kind
ORDER BY e.run, n DESC, e.failure_boundary, e.failure_kind
