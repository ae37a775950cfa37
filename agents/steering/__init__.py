"""Dialogue Action Tokens: a small planner turns the state of a dialogue into an action vector, and
that into prefix embeddings.
"""
