"""Processes: the master that owns the sockets, its children, and the signals between them."""
