"""What several subcommands use: tables, units, colours, and how they find a program."""
