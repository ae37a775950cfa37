"""A language model in this process: weights, batched decoding, and caches across turns."""
