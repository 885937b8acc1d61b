"""What a program may say about a worker: its options and callbacks, and how they are checked."""
