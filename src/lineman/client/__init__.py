"""Connections to servers: opened here, and then the same `Connection` as a server has."""
