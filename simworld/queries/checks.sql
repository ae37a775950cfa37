-- Does a judge score higher where a programmatic check holds?
--
-- judge_id    the judge
-- family      family of scenarios
-- check_name  name of the check
-- seat        whose score
-- dimension   what is judged
-- holds       n: scores of episodes in which the check holds
-- fails       n: scores of episodes in which it does not
-- undecided   n: scores of episodes in which it could not be decided
-- mean_holds  mean score where it holds, as a share of the dimension's range
-- mean_fails  mean score where it does not
--
-- :run        only this run; default: every run
-- :dimension  only this dimension; default: every one
SELECT x.judge_id, x.family, c.name AS check_name, x.seat, x.dimension,
  sum(CASE WHEN c.holds THEN 1 ELSE 0 END) AS holds,
  sum(CASE WHEN NOT c.holds THEN 1 ELSE 0 END) AS fails,
  sum(CASE WHEN c.holds IS NULL THEN 1 ELSE 0 END) AS undecided,
  avg(CASE WHEN c.holds THEN x.rescaled END) AS mean_holds,
  avg(CASE WHEN NOT c.holds THEN x.rescaled END) AS mean_fails
FROM episode_scores x
JOIN checks c ON c.episode_id = x.episode_id
WHERE (:run IS NULL OR x.run = :run) AND (:dimension IS NULL OR x.dimension = :dimension)
GROUP BY x.judge_id, x.family, c.name, x.seat, x.dimension
ORDER BY x.judge_id, x.family, c.name, x.seat, x.dimension
