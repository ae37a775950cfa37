"""Judges: rubric and transcript in, a verdict per seat and dimension out; and how far a judge can
be trusted.

judge_spec                      YAML in, JudgeSpec out
transcript                      an episode as a judge reads it
local, server                   the ways of judging, as generators of requests
verdict_parsing                 what a server wrote, read and checked
judge, drive, judging_pass      a judge on a model; many judgements at once; a pass over the store
contrast_pairs, trust           contrasting pairs, and a judge's record on them
"""
