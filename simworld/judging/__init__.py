"""Judges: rubric and transcript in, verdicts per seat and dimension out; and how far to trust them.

judge_spec, judge               YAML in, JudgeSpec out; a judge on a model
transcript                      an episode as a judge reads it
logprob_judging, reply_judging  the ways of judging, as generators of requests
seat_questions, verdict_parsing what is asked about a seat; what a server wrote, parsed
judging_pass, attribution_pass  a pass over the store: scores; which utterances mattered
contrast_pairs, judge_check     contrasting pairs, and a judge's record on them
judge_warnings, human_ratings   what a reader of scores must know; scores that people gave
"""
