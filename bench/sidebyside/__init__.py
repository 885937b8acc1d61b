"""The parts of `make bench`: servers of several projects under the same load, side by side."""
