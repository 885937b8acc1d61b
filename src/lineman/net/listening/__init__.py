"""The sources of connections: ports, unix sockets, admission, and the PROXY header."""
