"""Learning from stored replies: self-cloning, and up-mappings whose directions are ways of replying."""
