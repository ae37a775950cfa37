-- What does each agent cost: tokens, seconds, re-asks?
--
-- run            the run
-- agent          name of the agent in it
-- model_id       content hash of its model; null for scripts and people
-- acts           acts
-- prompt_tokens  tokens read
-- new_tokens     tokens written
-- seconds        from request to reply, summed; requests that ran side by side overlap
-- asks           requests per act, re-asks included
-- cut_share      share of replies that ended at the token limit
-- dropped_share  share of acts whose prompt was too long, so that the oldest events were left out
--
-- :run           only this run; default: every run
SELECT e.run, s.agent_name AS agent, a.model_id, count(*) AS acts, sum(a.prompt_tokens) AS prompt_tokens,
  sum(a.new_tokens) AS new_tokens, sum(a.latency_s) AS seconds, avg(CAST(a.asks AS double precision)) AS asks,
  avg(CASE a.finish WHEN 'length' THEN CAST(1 AS double precision) WHEN 'stop' THEN 0 END) AS cut_share,
  avg(CASE WHEN a.dropped_events > 0 THEN CAST(1 AS double precision) WHEN a.dropped_events = 0 THEN 0 END) AS dropped_share
FROM acts a
JOIN episodes e ON e.id = a.episode_id
JOIN episode_seats s ON s.episode_id = a.episode_id AND s.seat = a.seat
WHERE (:run IS NULL OR e.run = :run)
GROUP BY e.run, s.agent_name, a.model_id
ORDER BY e.run, s.agent_name, a.model_id
