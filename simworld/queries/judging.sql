-- What has each judge judged, and how often did it fail?
--
-- run       the run
-- judge     name of the judge
-- judge_id  hash of its model, method, prompts and rubric
-- rubric    name of the rubric and hash of its dimensions
-- ok        judgements with scores
-- failed    judgements that failed
-- episodes  episodes with at least one judgement that is ok
-- ended     episodes of the run that did not fail, which it could judge
-- seconds   mean time of a pass
-- message   one of the messages of those that failed; null without any
--
-- :run      only this run; default: every run
WITH ended AS (
  SELECT run, count(*) AS n FROM episodes WHERE ending <> 'failed' GROUP BY run
)
SELECT e.run, g.name AS judge, g.id AS judge_id, j.rubric_id AS rubric,
  sum(CASE WHEN j.status = 'ok' THEN 1 ELSE 0 END) AS ok,
  sum(CASE WHEN j.status = 'failed' THEN 1 ELSE 0 END) AS failed,
  count(DISTINCT CASE WHEN j.status = 'ok' THEN j.episode_id END) AS episodes,
  max(n.n) AS ended, avg(j.latency_s) AS seconds, min(j.failure_message) AS message
FROM judgements j
JOIN judges g ON g.id = j.judge_id
JOIN episodes e ON e.id = j.episode_id
JOIN ended n ON n.run = e.run
WHERE (:run IS NULL OR e.run = :run)
GROUP BY e.run, g.name, g.id, j.rubric_id
ORDER BY e.run, g.name, g.id, j.rubric_id
