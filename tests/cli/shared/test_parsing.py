from __future__ import annotations

from pathlib import Path

import pytest

from lineman.cli.shared.parsing import Parser, did_you_mean


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="lineman")
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    start = commands.add_parser("start")
    start.add_argument("--pid-file")
    commands.add_parser("status")
    return parser


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["strat"], "there is no 'strat'; did you mean start?"),
        (["frobnicate"], "there is no 'frobnicate'; there are: start, status"),
        (["start", "--pid-fiel", "x"], "did you mean --pid-file?"),
        (["start", "--pid-fiel=x"], "did you mean --pid-file?"),
        (["start", "now"], "unrecognized arguments: now"),
    ],
)
def test_a_misspelt_word_gets_the_nearest_one(
    parser: Parser, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(words)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_workermans_order_of_words_is_told_the_right_one(
    parser: Parser, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    script = tmp_path / "app.py"
    script.touch()
    with pytest.raises(SystemExit):
        parser.parse_args([str(script), "start"])
    assert f"the command comes first: lineman start {script}" in capsys.readouterr().err


def test_nothing_is_guessed_where_nothing_is_near() -> None:
    assert did_you_mean("START", ["start"]) == "did you mean start?"
    assert did_you_mean("xyz", ["start"]) == ""
