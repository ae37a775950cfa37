"""Judges: rubric and transcript in, a verdict per seat and dimension out; and how far a judge can
be trusted.

rubrics, spec       YAML in, Rubric and JudgeSpec out transcript          an episode as a judge
reads it local, server       the ways of judging, as generators of requests; replies reads what a
server wrote judge, drive, run   a judge on a model; many judgements at once; a pass over the store
pairs, trust        contrasting pairs, and a judge's record on them
"""
