"""What `lineman bench` and `lineman connect` have in common.

Pure: failures, shown. What touches a socket or a terminal is thin: wire, screens.
"""
