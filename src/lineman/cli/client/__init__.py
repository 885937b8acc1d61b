"""What `lineman bench` and `lineman connect` have in common, on top of `lineman.client`.

Pure: failures, editor, shown. What touches a socket is thin: wire.
"""
