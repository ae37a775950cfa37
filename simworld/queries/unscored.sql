-- Which episodes ended and have no score by a judge that has scored others of their run?
--
-- run       the run
-- judge_id  the judge
-- episode   id of the episode
-- scenario  name of the scenario
-- ending    terminated or turn_limit
-- message   who and what failed in its judgement, and why; null where there is none yet
--
-- :run      only this run; default: every run
WITH active AS (
  SELECT DISTINCT e.run, j.judge_id FROM judgements j JOIN episodes e ON e.id = j.episode_id
  WHERE :run IS NULL OR e.run = :run
)
SELECT e.run, a.judge_id, e.id AS episode, e.scenario_name AS scenario, e.ending,
  (SELECT max(f.failure_boundary || ': ' || f.failure_kind || ': ' || f.failure_message) FROM judgements f
    WHERE f.episode_id = e.id AND f.judge_id = a.judge_id AND f.status = 'failed') AS message
FROM episodes e
JOIN active a ON a.run = e.run
WHERE e.ending <> 'failed' AND NOT EXISTS (
  SELECT 1 FROM judgements j WHERE j.episode_id = e.id AND j.judge_id = a.judge_id AND j.status = 'ok')
ORDER BY e.run, a.judge_id, e.scenario_name, e.id
