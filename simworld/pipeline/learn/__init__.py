"""The whole loop from one file: collect, judge, clone, train, evaluate; resumable, and a grid where
a key is a list.
"""
