"""RFC 6455, the websocket protocol: the handshake, frames, messages and the close."""
