"""Looks at the world (the edge): each has its own deadline, none raises, none judges."""
