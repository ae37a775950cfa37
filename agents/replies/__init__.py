"""From a model's reply to an act: what is speech, what is thought, who may hear it."""
