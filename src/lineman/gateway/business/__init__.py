"""Business workers: they run the program's callbacks for clients that holders keep."""
