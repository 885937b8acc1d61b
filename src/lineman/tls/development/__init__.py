"""Certificates for development: an authority of one's own, on this machine alone."""
