-- How do episodes end, agent by agent?
-- A work item that was tried again counts by its last attempt.
--
-- agent   name of the agent in its run
-- ending  terminated, turn_limit or failed
-- reason  left, silence, check:<name>, turn_limit, or the failure's kind
-- n       seats of episodes that ended so
-- share   of all seats that the agent had
-- turns   mean number of turns
--
-- :run    only this run; default: every run
WITH last AS (
  SELECT e.id, e.ending, e.reason, e.turns
  FROM episodes e
  WHERE (:run IS NULL OR e.run = :run) AND (e.ending <> 'failed' OR NOT EXISTS (
    SELECT 1 FROM episodes l WHERE l.run = e.run AND l.item_key = e.item_key AND l.attempt > e.attempt))
)
SELECT s.agent_name AS agent, e.ending, e.reason, count(*) AS n,
  count(*) * CAST(1 AS double precision) / sum(count(*)) OVER (PARTITION BY s.agent_name) AS share,
  avg(CAST(e.turns AS double precision)) AS turns
FROM last e
JOIN episode_seats s ON s.episode_id = e.id
GROUP BY s.agent_name, e.ending, e.reason
ORDER BY s.agent_name, e.ending, e.reason
