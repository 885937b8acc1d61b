"""A websocket client's side, pure: its URL, its handshake, the answer, and what is said then."""
