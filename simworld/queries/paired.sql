-- How much higher does one agent score than another in the same scenario, seat and repeat, beside the same partner?
-- Scenarios of two seats; samples of a judge are averaged. Families count as independent of each other, and nothing smaller does:
-- for an interval and p over them use `simworld.connect(…).paired`.
--
-- run         the run in which both played
-- judge_id    the judge
-- dimension   what is judged
-- family      family of scenarios
-- n           pairs
-- difference  mean of the first less the second, as a share of the dimension's range
-- higher      pairs in which the first scores higher
-- lower       pairs in which it scores lower
--
-- :first      name of one agent
-- :second     name of the other
-- :run        only this run; default: every run, each by itself
-- :dimension  only this dimension; default: every one
WITH seat AS (
  SELECT e.run, j.judge_id, v.dimension, e.family, e.scenario_id, v.seat, e.repeat, s.agent_name AS agent,
    o.agent_name AS partner, avg(v.rescaled) AS share
  FROM episodes e
  JOIN episode_seats s ON s.episode_id = e.id AND s.agent_name IN (:first, :second)
  JOIN episode_seats o ON o.episode_id = e.id AND o.seat <> s.seat
  JOIN judgements j ON j.episode_id = e.id AND j.status = 'ok'
  JOIN verdicts v ON v.judgement_id = j.id AND v.seat = s.seat
  WHERE (:run IS NULL OR e.run = :run) AND (:dimension IS NULL OR v.dimension = :dimension)
    AND NOT EXISTS (SELECT 1 FROM episode_seats q WHERE q.episode_id = e.id AND q.position > 1)
  GROUP BY e.run, j.judge_id, v.dimension, e.family, e.scenario_id, v.seat, e.repeat, s.agent_name, o.agent_name
)
SELECT a.run, a.judge_id, a.dimension, a.family, count(*) AS n, avg(a.share - b.share) AS difference,
  sum(CASE WHEN a.share > b.share THEN 1 ELSE 0 END) AS higher, sum(CASE WHEN a.share < b.share THEN 1 ELSE 0 END) AS lower
FROM seat a
JOIN seat b ON b.run = a.run AND b.judge_id = a.judge_id AND b.dimension = a.dimension AND b.scenario_id = a.scenario_id
  AND b.seat = a.seat AND b.repeat = a.repeat AND b.partner = a.partner
WHERE a.agent = :first AND b.agent = :second
GROUP BY a.run, a.judge_id, a.dimension, a.family
ORDER BY a.run, a.judge_id, a.dimension, a.family
