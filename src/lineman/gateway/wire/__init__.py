"""The messages between gateway processes, business workers and nodes, and how links are dialled."""
