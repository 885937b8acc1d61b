"""What stands in the event loop: the poller, the timing wheel, a turn's budget, system calls."""
