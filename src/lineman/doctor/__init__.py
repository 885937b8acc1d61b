"""Finds out why a connection fails: `looks` collect facts, `checks` (pure) judge them, `report`."""
