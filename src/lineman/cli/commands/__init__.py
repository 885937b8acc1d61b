"""The subcommands of `lineman`, one file for each word."""
