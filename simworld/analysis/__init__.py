"""Named questions to the store, answered with intervals."""
