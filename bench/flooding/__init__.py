"""The parts of the benchmark of floods: the clients that flood, and the bytes that they send."""
