"""A websocket client's side: what `lineman bench` and `lineman connect` have in common.

Pure: target, session, answer, failures, editor, shown. What touches a socket is thin: wire.
"""
