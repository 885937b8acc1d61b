"""The bytes of one socket: received and sent, in the clear or by TLS."""
