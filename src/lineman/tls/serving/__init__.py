"""Serves TLS: options, contexts, and certificates by name."""
