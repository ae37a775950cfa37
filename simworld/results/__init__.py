"""From stored episodes and verdicts to who is better, and how sure that is.

A judge's samples of a seat come to measures (`core.measures.measure`), which the store keeps by
cell. `seat_scores` reads the cells of a run into tables (`cells.SeatScores`), `episode_scores` the
verdicts of single episodes; of a work item the last attempt counts (`last_attempts`). Tables become
games and `standings`, or the `differences` of two agents, whose p is `stats`' (`paired`).
"""
