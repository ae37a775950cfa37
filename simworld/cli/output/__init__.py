"""How commands write: tables, progress, transcripts, text that is safe for a terminal."""
