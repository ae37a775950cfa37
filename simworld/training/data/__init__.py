"""Datasets: stored acts as transitions, with their rewards, checks and statistics."""
