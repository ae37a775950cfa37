-- In which scenarios is an agent good, and in which is it not?
--
-- judge      name of the judge
-- judge_id   hash of its model, method, prompts and rubric
-- family     family of scenarios
-- agent      name of the agent in its run
-- dimension  what is judged
-- n          scores (each sample of the judge counts)
-- share      mean score as a share of the dimension's range, 0 to 1
-- lowest     the lowest of them
-- highest    the highest of them
--
-- :run        only this run; default: every run
-- :judge      only this judge, by name; default: every judge, each by itself
-- :dimension  only this dimension; default: every one
-- :agent      only this agent, by name; default: every one
SELECT judge_name AS judge, judge_id, family, agent_name AS agent, dimension, count(*) AS n, avg(rescaled) AS share,
  min(rescaled) AS lowest, max(rescaled) AS highest
FROM episode_scores
WHERE (:run IS NULL OR run = :run) AND (:judge IS NULL OR judge_name = :judge)
  AND (:dimension IS NULL OR dimension = :dimension) AND (:agent IS NULL OR agent_name = :agent)
GROUP BY judge_name, judge_id, family, agent_name, dimension
ORDER BY judge_name, judge_id, dimension, family, agent_name
