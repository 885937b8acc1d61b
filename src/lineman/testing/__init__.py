"""What tests of a service need: a client that can misbehave, a worker in a thread, certificates.

Nothing of lineman itself imports this package.
"""
