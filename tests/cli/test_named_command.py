"""What a command line builds: what it names, or everything where that is none of the names."""

from __future__ import annotations

import pytest
from command_line import invoke, output

from guardia import __version__
from guardia.cli import app
from guardia.cli.named_command import narrowed


def _names(*words: str) -> list[str | None]:
    built = narrowed(app, words)
    return [info.name for info in (*built.registered_commands, *built.registered_groups)]


@pytest.mark.parametrize("words", [("list",), ("server", "add"), ("version", "--help")])
def test_only_the_named_command_is_built(words: tuple[str, ...]) -> None:
    assert _names(*words) == [words[0]]


@pytest.mark.parametrize("words", [(), ("--help",), ("lst",), ("--json", "list")])
def test_everything_is_built_where_nothing_is_named(words: tuple[str, ...]) -> None:
    assert {"list", "server", "version"} <= set(_names(*words))


def test_the_program_itself_is_left_as_it_is() -> None:
    before = _names()

    narrowed(app, ["list"])

    assert _names() == before


def test_a_command_alone_still_takes_its_name() -> None:
    assert output("version").strip() == __version__
    assert invoke("version", "version").exit_code == 2
