"""Learning from stored replies: self-cloning, and up-mappings of ways of replying."""
