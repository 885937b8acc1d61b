"""Brokers carry messages between gateway processes and machines."""
