"""OpenSSL below Python's `ssl`: direct calls of the library, and the keys of session tickets."""
