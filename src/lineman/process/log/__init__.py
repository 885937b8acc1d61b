"""The log: its set-up, its file, which may be removed, and its reader, which may be slow."""
