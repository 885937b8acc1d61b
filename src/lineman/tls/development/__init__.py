"""Certificates for development, from an authority that exists on this machine only."""
