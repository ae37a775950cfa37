"""What tests make: scenarios, stores with something in them, tiny models, agents that ask.

lm_requests      requests, and an agent that asks a model
models           tiny random models of real families, as folders
scenarios        two people at a market
stored           runs, episodes and judgements for a store
scored_world     a scored run whose answers are worked out by hand
web_world        what pages show: a tournament, a steered run, trainings, hostile and foreign texts
web_episodes     runs and episodes of that world, and hostile texts
hostile_texts    a run whose every text tries to be more than text
languages        an episode, scores and a training in Arabic and in Chinese
steered_runs     steered episodes with known vectors and scores
played_episodes  episodes that agents really played, with their prompts
transitions      datasets for learners, written by hand
judging          a backend that answers from a function, and two people with a lamp
losing_backend   a backend that never answers
tournaments      a tournament of scripted agents
pipelines        a whole `simworld learn` at the size of a test
sotopia          a folder in Sotopia's form
"""
