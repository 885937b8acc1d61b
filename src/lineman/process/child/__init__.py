"""A process of the program, below its master: the line to it, its figures, what it leaves."""
