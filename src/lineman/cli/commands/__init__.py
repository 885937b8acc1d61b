"""The subcommands of `lineman`, one module for each."""
