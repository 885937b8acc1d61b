"""Finds running programs by their run directory, pid file and addresses."""
