"""The load generator behind `lineman bench`: many websocket clients in one process.

What decides is pure: histogram, schedule, report, and what other clients share. What touches
sockets and clocks is thin: link and engine.
"""
