"""Protocols of messages on a byte stream: lines, length-prefixed frames, bytes as they come."""
