"""Tournaments: agents against each other in equal circumstances, from one file."""
