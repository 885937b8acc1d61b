"""Datagrams: one socket for all peers, and no connections."""
