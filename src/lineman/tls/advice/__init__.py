"""Explains a certificate: its content, and which clients would accept it."""
