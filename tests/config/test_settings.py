"""What `lineman.toml` and the environment set."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from lineman.config.options import WorkerOptions
from lineman.config.settings import ConfiguredValue, Settings, load
from lineman.errors import ConfigError
from lineman.gateway.gateway_options import GatewayOptions

FILE = """
[program]
log_level = "WARNING"

[worker]
ping_interval = 20
count = 2

[worker.chat]
count = 4
compression = {level = 3}

[gateway.rooms]
workers = 3
"""


def settings(text: str = FILE, **variables: str) -> Settings:
    return Settings(tomllib.loads(text), "lineman.toml", variables)


def of(found: dict[str, ConfiguredValue]) -> dict[str, tuple[object, str]]:
    return {name: (each.value, each.source) for name, each in found.items()}


def test_the_table_of_a_service_wins_over_that_of_all() -> None:
    assert of(settings().of_service("worker", "other", WorkerOptions)) == {
        "ping_interval": (20, "lineman.toml [worker]"),
        "count": (2, "lineman.toml [worker]"),
    }
    found = of(settings().of_service("worker", "chat", WorkerOptions))
    assert found["count"] == (4, "lineman.toml [worker.chat]")
    assert found["ping_interval"] == (20, "lineman.toml [worker]")


def test_the_environment_wins_over_the_file_and_a_name_over_none() -> None:
    made = settings(LINEMAN_COUNT="8", LINEMAN_CHAT__COUNT="16")
    assert made.of_service("worker", "chat", WorkerOptions)["count"] == ConfiguredValue(
        16, "LINEMAN_CHAT__COUNT"
    )
    assert made.of_service("worker", "", WorkerOptions)["count"] == ConfiguredValue(
        8, "LINEMAN_COUNT"
    )


def test_a_name_is_written_in_capitals_and_underscores() -> None:
    made = settings("", LINEMAN_LIVE_CHAT_2__COUNT="3")
    assert made.of_service("worker", "live chat-2", WorkerOptions)["count"].value == 3


def test_a_table_that_an_option_takes_is_no_service() -> None:
    made = settings("[worker.context.ssl]\nlocal_cert = 'a.pem'")
    found = made.of_service("worker", "context", WorkerOptions)
    assert of(found) == {"context": ({"ssl": {"local_cert": "a.pem"}}, "lineman.toml [worker]")}
    assert made.check_names() == []


def test_the_program_has_its_own() -> None:
    found = settings(LINEMAN_LOG_KEEP="3", LINEMAN_BROKER="redis://127.0.0.1").of_program()
    assert of(found) == {
        "log_level": ("WARNING", "lineman.toml [program]"),
        "log_keep": (3, "LINEMAN_LOG_KEEP"),
        "broker": ("redis://127.0.0.1", "LINEMAN_BROKER"),
    }


def test_an_empty_variable_counts_as_not_set() -> None:
    assert settings("", LINEMAN_COUNT="").of_service("worker", "", WorkerOptions) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[worker]\ncuont = 2", r"lineman.toml \[worker\] has 'cuont'; fix: did you mean count"),
        ("[worker]\ncount = 'x'", r"lineman.toml \[worker\]: count is 'x'; fix: give the number"),
        ("[worker.chat]\nname = 'x'", r"\[worker.chat\] has 'name'; fix: leave it out"),
        ("[worker.chat]\nzzz = 1", r"\[worker.chat\] has 'zzz'; fix: see the reference"),
    ],
)
def test_a_wrong_option_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        settings(text).of_service("worker", "chat", WorkerOptions)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("count = 2", "has 'count'; fix: it has the tables"),
        ("worker = 2", "worker is 2; fix: write a table"),
    ],
)
def test_a_wrong_table_is_told(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        settings(text)


def test_a_wrong_option_of_the_program_is_told() -> None:
    with pytest.raises(ConfigError, match="has 'log_levle'; fix: did you mean log_level"):
        settings("[program]\nlog_levle = 'INFO'").of_program()


def read_by_all(made: Settings) -> list[str]:
    made.of_program()
    made.of_service("worker", "chat", WorkerOptions)
    made.of_service("gateway", "rooms", GatewayOptions)
    return made.check_names()


def test_what_every_service_has_read_is_in_order() -> None:
    variables = {"LINEMAN_COUNT": "2", "LINEMAN_ROOMS__WORKERS": "2", "LINEMAN_LOG_LEVEL": "INFO"}
    assert read_by_all(settings(**variables)) == []


@pytest.mark.parametrize(
    ("text", "variable", "says"),
    [
        ("[worker.chta]\ncount = 2", "X", r"\[worker.chta\].* fix: .*there are: chat"),
        ("[gateway.chat]\nworkers = 2", "X", r"\[gateway.chat\].* fix: .*there are: rooms"),
        ("", "LINEMAN_CUONT", "LINEMAN_CUONT is no setting; fix: did you mean LINEMAN_COUNT"),
        ("", "LINEMAN_CHAT__CUONT", "did you mean LINEMAN_CHAT__COUNT"),
        ("", "LINEMAN_CHTA__COUNT", "is for a service CHTA.* fix: .*CHAT, ROOMS"),
    ],
)
def test_a_setting_that_nobody_reads_is_refused(text: str, variable: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_by_all(settings(text, **{variable: "2"}))


def test_a_table_of_a_kind_that_the_program_does_not_have_is_refused() -> None:
    found = settings("[gateway]\nworkers = 2\n")
    found.of_service("worker", "chat", WorkerOptions)
    with pytest.raises(ConfigError, match=r"has \[gateway\], and the program has no gateway"):
        found.check_names()


def test_a_variable_of_the_program_itself_is_only_told() -> None:
    assert read_by_all(settings("", LINEMAN_FOO="1")) == [
        "the variable LINEMAN_FOO is no setting of this program, and does nothing"
    ]


@pytest.mark.parametrize(
    "variable",
    [
        "LINEMAN_PORT", "LINEMAN_PORT_8282_TCP_ADDR", "LINEMAN_SERVICE_HOST",
        "LINEMAN_CHAT_SERVICE_PORT_WSS", "LINEMAN_CHAT_PORT_8282_TCP",
        "LINEMAN_COMPILE", "LINEMAN_ACME_DIRECTORY", "LINEMAN_CONFIG",
    ],
)  # fmt: skip
def test_variables_of_kubernetes_and_of_others_are_left_alone(variable: str) -> None:
    assert read_by_all(settings("", **{variable: "tcp://10.0.0.1:8282"})) == []


def test_the_file_lies_beside_the_program_or_where_the_variable_says(tmp_path: Path) -> None:
    script = str(tmp_path / "app.py")
    assert load({}, [script]).of_service("worker", "", WorkerOptions) == {}
    (tmp_path / "lineman.toml").write_text("[worker]\ncount = 2")
    assert load({}, [script]).of_service("worker", "", WorkerOptions)["count"].value == 2
    (tmp_path / "other.toml").write_text("[worker]\ncount = 3")
    variables = {"LINEMAN_CONFIG": str(tmp_path / "other.toml")}
    found = load(variables, [script]).of_service("worker", "", WorkerOptions)["count"]
    assert found == ConfiguredValue(3, "other.toml [worker]")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[worker", "is no TOML"),
        (b"a = '\xff'", "is no TOML"),
        (b"#" * 1_048_577, "more than 1048576 bytes"),
        (b"a = " + b"[" * 20_000, "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "lineman.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        load({}, [str(tmp_path / "app.py")])


def test_a_pipe_in_its_place_is_told_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lineman.toml")
    with pytest.raises(ConfigError, match="is no regular file"):
        load({}, [str(tmp_path / "app.py")])


def test_so_is_one_that_is_missing_or_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load({"LINEMAN_CONFIG": str(tmp_path / "none.toml")}, ["app.py"])
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load({"LINEMAN_CONFIG": str(tmp_path)}, ["app.py"])
