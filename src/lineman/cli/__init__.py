"""The command `lineman`: it reads its arguments and calls a subcommand."""
