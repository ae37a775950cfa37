-- How does each agent do on each dimension, judge by judge?
-- Scores of different judges, or of one judge under different ids, are never averaged. What failed or has no score is not here:
-- see @endings and @unscored.
--
-- judge      name of the judge
-- judge_id   hash of its model, method, prompts and rubric
-- agent      name of the agent in its run
-- dimension  what is judged
-- n          scores (each sample of the judge counts)
-- families   families of scenarios they come from: few families are weak evidence, however large n is
-- mean       mean score, in the dimension's own range
-- share      mean score as a share of that range, 0 to 1
--
-- :run       only this run; default: every run
-- :judge     only this judge, by name; default: every judge, each by itself
SELECT judge_name AS judge, judge_id, agent_name AS agent, dimension, count(*) AS n, count(DISTINCT family) AS families,
  avg(score) AS mean, avg(rescaled) AS share
FROM episode_scores
WHERE (:run IS NULL OR run = :run) AND (:judge IS NULL OR judge_name = :judge)
GROUP BY judge_name, judge_id, agent_name, dimension
ORDER BY judge_name, judge_id, dimension, agent_name
