"""OpenSSL under Python's `ssl`: what is called directly, and the tickets that it asks for."""
