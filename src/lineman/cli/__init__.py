"""The command `lineman`: one file for each of its subcommands."""
