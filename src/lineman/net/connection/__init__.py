"""One connection: what the program sees of it, what it waits for, and what is counted of it."""
