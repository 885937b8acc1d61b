"""The gateway processes of all machines as one of them sees them."""
