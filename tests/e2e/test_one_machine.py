"""The guide to one machine: its program and settings run, and get a certificate."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from e2e.support.pebble import DOMAIN, pebble
from kit.program import Program, free_ports
from lineman.testing.client import RawClient

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "one-machine.md").read_text(encoding="utf-8")
UNIT = (ROOT / "docs" / "howto" / "systemd" / "chat.service").read_text(encoding="utf-8")


def settings() -> str:
    """The text of `lineman.toml`."""
    (found,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """The text with other words in place of some, each of which stands there once."""
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def test_the_program_gets_its_certificate_with_the_settings_of_the_guide(tmp_path: Path) -> None:
    http, tls = free_ports(2)
    program_text = (ROOT / "examples" / "chat_processes.py").read_text(encoding="utf-8")
    with pebble(tmp_path, http_port=http, tls_port=tls) as authority:
        # Pebble is no authority that the file can name by a word, and validates at other ports.
        given = f"acme=AcmeOptions(ca={authority.url!r}, ca_file={str(authority.ca_file)!r}, "
        given += f"email='you@example.com', http_port={http})"
        program_text = replaced(
            program_text,
            ("count=4", f"count=4, {given}"),
            ("import Connection", "import AcmeOptions, Connection"),
        )
        (tmp_path / "app.py").write_text(program_text, encoding="utf-8")
        text = replaced(
            settings(),
            (":443", f":{tls}"),
            ("chat.example.com", DOMAIN),
            ('acme = "you@example.com"\n', ""),
            ('acme_ca = "letsencrypt-staging"\n', ""),
        )
        (tmp_path / "lineman.toml").write_text(text, encoding="utf-8")
        command = [Path(sys.executable).with_name("lineman"), "run", "app.py"]
        env = {"STATE_DIRECTORY": str(tmp_path / "state")}  # as systemd sets it
        program = Program("app.py", command, cwd=tmp_path, env=env)
        try:
            program.wait_for_line("ready:")
            trust = authority.trust()
            with RawClient(tls, tls=trust, server_hostname=DOMAIN) as client:
                client.open()
                client.send("hello")
                assert client.receive() == "1: hello"
        finally:
            status = program.stop()
        assert status == 0, program.output
    assert (tmp_path / "state").is_dir()


def test_the_commands_of_the_guide_make_what_the_unit_needs() -> None:
    commands = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    options = dict(re.findall(r"^(\w+)=(.*)$", UNIT, re.MULTILINE))
    assert f"useradd --system {options['User']}\n" in commands
    folder = options["WorkingDirectory"]
    assert f"install -d -o root -g {options['User']} -m 750 {folder}\n" in commands
    assert f"python3 -m venv {folder}/.venv\n" in commands
    assert options["ExecStart"] == f"{folder}/.venv/bin/lineman run app.py"
    assert f"`{folder}/app.py`" in PAGE
    assert f"`{folder}/lineman.toml`" in PAGE
    assert f"`/var/lib/{options['StateDirectory']}`" in PAGE
    assert "CAP_NET_BIND_SERVICE" in options["AmbientCapabilities"]
