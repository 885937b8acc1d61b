"""The edge: sockets, the poller, TLS streams, connections and their time limits."""
