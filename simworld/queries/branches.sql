-- What became of branches, beside the episodes they came from?
--
-- branch         id of the branch
-- run            its run
-- ending         how it ended
-- reason         why
-- turns          its turns
-- parent         id of the episode it came from
-- parent_ending  how that ended
-- parent_reason  why
-- parent_turns   its turns
SELECT b.id AS branch, b.run, b.ending, b.reason, b.turns, p.id AS parent, p.ending AS parent_ending,
  p.reason AS parent_reason, p.turns AS parent_turns
FROM episodes b
JOIN episodes p ON p.id = b.parent_id
ORDER BY p.id, b.run, b.id
