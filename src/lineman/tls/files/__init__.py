"""Reads, checks, watches and protects the files of certificates and keys."""
