"""What a certificate says of itself, and what clients would say to it."""
