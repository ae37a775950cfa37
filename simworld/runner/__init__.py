"""Running: work items, many live conversations at once, and resuming."""

from simworld.runner.conversations import Job, Played, play_jobs

__all__ = ["Job", "Played", "play_jobs"]
