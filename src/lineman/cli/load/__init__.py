"""The load generator behind `lineman bench`: many websocket clients in one process.

The modules that decide are pure: `modes`, `histogram`, `rate_schedule`, `load_report`. Those with
sockets and clocks are thin: `load_link` and `engine`.
"""
