-- Which planners acted, for whom, and how often with noise?
--
-- run       the run
-- agent     name of the agent in it
-- planner   id of the planner; empty: states were recorded without one
-- encoder   hash of what made the state
-- acts      acts with vectors
-- noisy     of them, with exploration noise
-- episodes  episodes they are from
-- families  families of scenarios
--
-- :run      only this run; default: every run
SELECT e.run, s.agent_name AS agent, p.planner_id AS planner, p.encoder_id AS encoder, count(*) AS acts,
  sum(CASE WHEN p.noisy THEN 1 ELSE 0 END) AS noisy, count(DISTINCT e.id) AS episodes, count(DISTINCT e.family) AS families
FROM plan_steps p
JOIN acts a ON a.episode_id = p.episode_id AND a.turn = p.turn AND a.position = p.position
JOIN episodes e ON e.id = p.episode_id
JOIN episode_seats s ON s.episode_id = a.episode_id AND s.seat = a.seat
WHERE (:run IS NULL OR e.run = :run)
GROUP BY e.run, s.agent_name, p.planner_id, p.encoder_id
ORDER BY e.run, s.agent_name, p.planner_id, p.encoder_id
