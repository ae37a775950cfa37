-- Who has played what, and where are the holes?
--
-- run       the run
-- family    family of scenarios
-- scenario  name of the scenario
-- agent     name of the agent in the run
-- seats     seats of episodes, all attempts
-- failed    of them, in episodes that failed
-- scored    of them, with at least one score by any judge
--
-- :run      only this run; default: every run
SELECT e.run, e.family, e.scenario_name AS scenario, s.agent_name AS agent, count(*) AS seats,
  sum(CASE WHEN e.ending = 'failed' THEN 1 ELSE 0 END) AS failed,
  sum(CASE WHEN EXISTS (
    SELECT 1 FROM judgements j JOIN verdicts v ON v.judgement_id = j.id
    WHERE j.episode_id = e.id AND v.seat = s.seat
  ) THEN 1 ELSE 0 END) AS scored
FROM episodes e
JOIN episode_seats s ON s.episode_id = e.id
WHERE (:run IS NULL OR e.run = :run)
GROUP BY e.run, e.family, e.scenario_name, s.agent_name
ORDER BY e.run, e.family, e.scenario_name, s.agent_name
