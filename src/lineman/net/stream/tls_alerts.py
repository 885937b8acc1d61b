"""The reasons why a TLS handshake fails, as text for the operator. Pure."""

from __future__ import annotations

END_OF_TCP = "UNEXPECTED_EOF_WHILE_READING"
# Browsers say no more than this of a self-signed certificate, or of another name.
NOT_ACCEPTED = (
    "the client does not accept the certificate: it is self-signed, for another name, or of an "
    "authority that the client does not know; lineman cert check says which, and Let's Encrypt "
    "(acme=) or lineman cert trust mends it"
)

# What clients do to a handshake, by OpenSSL's name for it.
EXPLAINED = {
    END_OF_TCP: "the client closed the connection during TLS; it probably does not trust the "
    "certificate, or connects by a name that is not in it",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust the certificate's authority: give the "
    "whole chain in cert, or have the client trust the CA",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": NOT_ACCEPTED,
    "SSLV3_ALERT_BAD_CERTIFICATE": NOT_ACCEPTED,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": NOT_ACCEPTED,
    "TLSV1_ALERT_ACCESS_DENIED": NOT_ACCEPTED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client finds the certificate expired: renew it, or set "
    "the client's clock",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the client finds the certificate revoked: get a new one",
    "UNSUPPORTED_PROTOCOL": "the client speaks no TLS version of ours (1.2 and 1.3)",
    "NO_SHARED_CIPHER": "the client has no cipher in common with us",
    "EXCESSIVE_MESSAGE_SIZE": "the client's first message is larger than 16 KiB, or cut as no "
    "client cuts it",
    "WRONG_VERSION_NUMBER": "the client does not speak TLS",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client shows no certificate, and verify_client "
    "requires one",
}

# Why OpenSSL refuses a client's certificate, by its number, where something can be done about it.
# Source: openssl/x509_vfy.h
REFUSED = {
    3: "crl_file has no list of its authority",
    10: "the client needs a new one",
    12: "fetch the authority's new CRL: until then every client is refused",
    18: "to let it in, put it into ca_file",
    19: "to let it in, put that authority into ca_file",
    20: "to let it in, put its authority into ca_file, or have the client send its whole chain",
    21: "to let it in, put its authority into ca_file, or have the client send its whole chain",
    22: "see verify_depth",
    23: "its authority has taken it back",
    26: "it is not made for clients (extended key usage clientAuth)",
}
