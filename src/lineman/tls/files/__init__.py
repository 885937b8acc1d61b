"""Files of certificates and keys: read, checked, watched, kept from others."""
