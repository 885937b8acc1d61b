"""Push to any user or group from anywhere, and code that reloads without dropping a client."""
