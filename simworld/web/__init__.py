"""The web pages and the report: they ask `simworld.analysis` and the store, and draw; they never
write.
"""
