"""Jobs, timers and tasks of a worker: when they run, which process runs them, and their end."""
