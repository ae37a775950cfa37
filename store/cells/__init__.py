"""The kept table of scores: a row for each seat of a last attempt, brought up to date with each
judgement.
"""
