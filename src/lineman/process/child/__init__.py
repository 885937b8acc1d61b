"""A child process of the master: its link to the master, its figures, and its stored sockets."""
