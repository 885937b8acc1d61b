"""The master, which owns the sockets, its child processes, and the messages between them."""
