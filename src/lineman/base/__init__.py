"""Basic modules that all others may use: addresses, options, names, limits, standard streams."""
