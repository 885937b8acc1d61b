"""The master: it binds, starts children, watches them, and does what commands want of it."""
