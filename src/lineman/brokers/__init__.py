"""Brokers: what carries messages between gateway processes and machines."""
