"""From stored episodes and verdicts to who is better, and how sure that is.

A judge's samples of a seat come to a score on each measure in `core.measures`, which the store
keeps by cell. `score_reading` reads those of a run into tables (`seat_scores`), `episode_scores`
those of single episodes; of a work item the last attempt counts (`last_attempts`). Tables become
`games` and `standings`, or the `differences` of two agents; p-values are made in
`stats.paired_tests`.
"""
