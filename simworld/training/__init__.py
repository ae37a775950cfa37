"""Offline learning of planners from the store: the dataset, self-cloning, TD3+BC, and what they
report.
"""
