"""The parts of the benchmark of floods: who floods, with what, and who is served beside it."""
