"""The log: its set-up, its format, its file, and output to slow readers."""
