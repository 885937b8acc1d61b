"""TLS: makes a context that can serve from the operator's options, or explains why it cannot.

`files` reads certificates and keys and checks that they can work; `serving` has the options and the
contexts, and keeps them up to date; `advice` explains a certificate; `development` makes
certificates for this machine; `acme` obtains them from an authority; `openssl` calls the library
below Python's `ssl`. Nothing here uses a client's socket.
"""
