"""TLS: from what the operator wrote to a context that can serve, or a refusal that says why.

`options` says what was asked for, `pem` reads files, `certificates` checks that a certificate and
a key can work, `context` makes the `ssl.SSLContext`, `live` keeps the contexts of a process up to
date; `facts` and `verdict` explain a certificate; `issuing` builds development certificates,
`devca` keeps them in a directory, `truststore` has this machine trust them.
Nothing here touches a socket.
"""
