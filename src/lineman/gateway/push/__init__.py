"""Messages to clients from anywhere: the callbacks, another program, an HTTP endpoint."""
