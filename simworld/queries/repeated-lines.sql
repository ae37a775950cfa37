-- Which lines does an agent say word for word in several episodes?
-- Many of them are a sign of a model that has collapsed into a few phrases.
--
-- agent     name of the agent in its run
-- text      the line
-- n         how often it was said
-- episodes  in how many episodes
--
-- :run      only this run; default: every run
SELECT s.agent_name AS agent, a.text, count(*) AS n, count(DISTINCT a.episode_id) AS episodes
FROM acts a
JOIN episodes e ON e.id = a.episode_id
JOIN episode_seats s ON s.episode_id = a.episode_id AND s.seat = a.seat
WHERE a.kind <> 'none' AND a.text <> '' AND (:run IS NULL OR e.run = :run)
GROUP BY s.agent_name, a.text
HAVING count(DISTINCT a.episode_id) > 1
ORDER BY n DESC, s.agent_name, a.text
