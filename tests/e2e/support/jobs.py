"""Attempts to get a certificate, made as in the job's process."""

from __future__ import annotations

import asyncio
from typing import Any

from cryptography import x509

from lineman.tls.acme.acme_job import JobReport, Wish
from lineman.tls.acme.acme_options import AcmeSettings
from lineman.tls.acme.acme_store import AcmeStore
from lineman.tls.acme.keeper import attempt

JOB = "import sys; from lineman.tls.acme.acme_job import main; sys.exit(main())"


def wish(settings: AcmeSettings, **more: Any) -> Wish:
    return Wish(settings, ("http-01",), **more)


def run(wanted: Wish) -> JobReport:
    return asyncio.run(attempt(wanted, lambda text: None))


def serial(store: AcmeStore) -> int:
    return x509.load_pem_x509_certificate(store.certificate_path.read_bytes()).serial_number
