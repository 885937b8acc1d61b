"""The master: it binds sockets, starts and watches children, and carries out commands."""
