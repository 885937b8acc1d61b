"""Applications of others, by the standard that they share: ASGI 3."""
