"""Commands of several stages: evaluate, and learn."""
