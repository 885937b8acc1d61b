"""Where connections come from: ports, unix sockets, who is admitted, what a proxy says first."""
