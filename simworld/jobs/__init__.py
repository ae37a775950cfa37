"""Whole jobs, each as its command does it: run, judge, tournament, evaluate, learn.

The command line and Python call the same function here; the first prints what it is told while the
job goes on, the second gets a report to look at.
"""
