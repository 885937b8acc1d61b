"""Where a running program is found: its run directory, its pid file, its addresses."""
