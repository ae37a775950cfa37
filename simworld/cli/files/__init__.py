"""What commands know of files: their kinds, checks, templates, duplicates."""
