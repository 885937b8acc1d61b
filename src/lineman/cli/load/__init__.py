"""The load generator behind `lineman bench`: many websocket clients in one process.

What decides is pure: target, session, histogram, schedule, report. What touches sockets and
clocks is thin: link and engine.
"""
