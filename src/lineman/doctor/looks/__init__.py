"""The looks, which do the I/O: each has its own deadline, none raises, none judges."""
