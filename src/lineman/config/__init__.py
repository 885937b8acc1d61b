"""The options and callbacks that a program can set on a worker, and their checks."""
