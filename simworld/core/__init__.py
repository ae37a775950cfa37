"""The words and the rules of a simulation: pure Python, without torch, SQL, YAML, files or a
clock.
"""
