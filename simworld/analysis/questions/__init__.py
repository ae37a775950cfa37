"""The named questions of `simworld.connect`, each a function from a source to a DataFrame."""
