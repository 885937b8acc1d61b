"""What tests of a service need, from `docs/reference/testing.md`.

Nothing of lineman itself imports this package.
"""
