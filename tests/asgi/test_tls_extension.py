"""What an application is told of TLS."""

from __future__ import annotations

import ssl

from kit.asgi_apps import Told, hello
from kit.site import Serve
from lineman.asgi.tls_extension import facts
from lineman.net.stream.tlsinfo import TlsInfo


def test_a_connection_with_tls_has_its_numbers(serve_app: Serve) -> None:
    app = Told(hello)
    client = serve_app(app, True).connect()
    assert client.request("/").status == 200
    found = app.scopes[0]["extensions"]["tls"]
    assert found["tls_version"] == 0x0304
    assert found["cipher_suite"] in (0x1301, 0x1302, 0x1303)
    assert found["client_cert_chain"] == []
    assert found["client_cert_name"] is None


def test_the_certificates_of_a_client_are_pem() -> None:
    info = TlsInfo("TLSv1.2", "other", None, None, False, b"der", "CN=phone", (), (b"der", b"ca"))
    found = facts(info)
    assert found["client_cert_chain"] == [
        ssl.DER_cert_to_PEM_cert(each) for each in (b"der", b"ca")
    ]
    assert (found["client_cert_name"], found["cipher_suite"]) == ("CN=phone", None)
