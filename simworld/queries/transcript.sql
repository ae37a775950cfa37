-- What was said in one episode?
--
-- turn        turn, from 0
-- seat        who acted
-- persona     name of the character
-- agent       name of the agent in its run
-- kind        speak, non-verbal, action, leave or none
-- text        what was said or done
-- recipients  list of the seats that alone perceived it; empty: everyone
--
-- :episode    id of the episode, or its beginning
SELECT turn, seat, persona, agent_name AS agent, kind, text, recipients
FROM transcripts
WHERE episode_id LIKE :episode || '%'
ORDER BY episode_id, turn, position
