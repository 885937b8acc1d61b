"""A real Chromium with its own home, profile and trusted authorities."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from kit.program import find_program

SWITCHES = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1200,900",
)


def trust(home: Path, authorities: Sequence[Path]) -> None:
    """Make a browser with this home directory trust these authorities for servers."""
    certutil = find_program("certutil", "libnss3-tools")
    database = home / ".pki" / "nssdb"
    where = ["-d", f"sql:{database}"]
    if not database.exists():  # else somebody else has made it, which is what is tested
        database.mkdir(parents=True)
        subprocess.run([certutil, *where, "-N", "--empty-password"], check=True)
    for number, authority in enumerate(authorities):
        # "C,,": may vouch for servers, neither for mail nor for code.
        add = ["-A", "-t", "C,,", "-n", f"authority {number}", "-i", str(authority)]
        subprocess.run([certutil, *where, *add], check=True)


@contextmanager
def chromium(
    home: Path, authorities: Sequence[Path] = (), *, here: str = ""
) -> Iterator[webdriver.Chrome]:
    """A headless Chromium that is as strict as a user's own: no switch makes it lenient.

    Args:
        home: a directory for its home and its profile; it may have a store of authorities.
        authorities: PEM files of the certificate authorities that it trusts, beside the usual ones.
        here: names that lead to this machine, such as `*.example`.
    """
    trust(home, authorities)
    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium", "chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for switch in (*SWITCHES, f"--user-data-dir={home / 'profile'}"):
        options.add_argument(switch)
    if here:
        options.add_argument(f"--host-resolver-rules=MAP {here} 127.0.0.1")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # as root Chromium does not start with it
    # Where a proxy or another home is set for this machine, it must not lead the browser away.
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("XDG_")
    }
    env["HOME"] = str(home)
    # With the driver's path given, selenium looks for none to download.
    driver_path = find_program("chromedriver", "chromium-driver")
    service = Service(executable_path=driver_path, env=env)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def console_errors(driver: webdriver.Chrome) -> list[dict[str, Any]]:
    """The errors and warnings in the browser's console since the last call."""
    entries: list[dict[str, Any]] = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry for entry in entries if entry["level"] in ("SEVERE", "WARNING")]
