"""Learning from transitions: learners, their loop, and what their planners are compared with."""
