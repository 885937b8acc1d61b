"""What `lineman bench` and `lineman connect` have in common.

`failures` and `shown` are pure. The modules with a socket or a terminal are thin: `client_socket`,
`screens`.
"""
