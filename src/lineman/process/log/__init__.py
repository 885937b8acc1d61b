"""The log: set up, written to a file that may vanish, and to a reader who may be slow."""
