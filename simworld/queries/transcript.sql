-- What was said in one episode?
--
-- number      the turn as transcripts print it, from 1
-- turn        the turn as it is stored, from 0: for joins with acts, plan_steps and attributions
-- seat        who acted
-- persona     name of the character
-- agent       name of the agent in its run
-- kind        speak, non-verbal, action, leave or none
-- text        what was said or done
-- recipients  list of the seats that alone perceived it; empty: everyone
--
-- :episode    id of the episode, or its beginning
SELECT turn + 1 AS number, turn, seat, persona, agent_name AS agent, kind, text, recipients
FROM transcripts
WHERE episode_id LIKE :episode || '%'
ORDER BY episode_id, turn, position
