"""What a process serves TLS with: options, contexts, and certificates by name."""
