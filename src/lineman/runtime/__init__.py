"""Runs workers in processes: starts, inspects, replaces and ends them."""
