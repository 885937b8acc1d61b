"""HTTP/1.1 as a websocket server meets it: handshakes and plain requests, pure."""
