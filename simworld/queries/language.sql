-- How much does each agent say?
-- Variety and repetition: `simworld.connect(…).language`.
--
-- agent       name of the agent in its run
-- acts        acts
-- speak       of them, spoken
-- other       of them, non-verbal, action or leave
-- none        of them, nothing said or done
-- characters  mean length of a spoken line
-- private     share of acts that only some perceived
--
-- :run        only this run; default: every run
SELECT s.agent_name AS agent, count(*) AS acts, sum(CASE WHEN a.kind = 'speak' THEN 1 ELSE 0 END) AS speak,
  sum(CASE WHEN a.kind IN ('non-verbal', 'action', 'leave') THEN 1 ELSE 0 END) AS other,
  sum(CASE WHEN a.kind = 'none' THEN 1 ELSE 0 END) AS "none",
  avg(CASE WHEN a.kind = 'speak' THEN CAST(length(a.text) AS double precision) END) AS characters,
  avg(CASE WHEN CAST(a.recipients AS text) = '[]' THEN CAST(0 AS double precision) ELSE 1 END) AS private
FROM acts a
JOIN episodes e ON e.id = a.episode_id
JOIN episode_seats s ON s.episode_id = a.episode_id AND s.seat = a.seat
WHERE (:run IS NULL OR e.run = :run)
GROUP BY s.agent_name
ORDER BY s.agent_name
