"""Commands as values: any argument arrives unchanged, and a secret is never shown."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import subprocess
import traceback
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardia.errors import GuardiaError, Invalid, ProgrammerError
from guardia.tools.command import MAX_COMMAND_BYTES, Command, Script, Secret

# Valid process arguments: no NUL, no lone surrogates.
passable = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
nasty = st.lists(
    st.sampled_from(
        [
            "'",
            '"',
            "\\",
            "$(id)",
            "`id`",
            "${x}",
            "\n",
            " ",
            "*",
            "~",
            "!",
            ";",
            "&",
            "|",
            ">",
            "-",
            "한",
        ]
    ),
    max_size=12,
).map("".join)
argument = passable | nasty
SHOW = Script("test.show", r"""printf '%s\0' "$@" """)
SHELLS = ["bash", "dash"]


def run(command: Command, shell: str = "bash") -> bytes:
    """Return what the command prints when a login shell gets it as text, as from sshd."""
    words = [shell, "-c", command.render()]
    return subprocess.run(words, input=command.input(), capture_output=True, check=True).stdout


def told(texts: list[str]) -> bytes:
    return b"".join(text.encode() + b"\0" for text in texts)


class TestArguments:
    @pytest.mark.slow
    @settings(max_examples=150, deadline=None)
    @given(st.lists(argument, min_size=1, max_size=5), st.sampled_from(SHELLS))
    def test_a_program_gets_them_unchanged(self, texts: list[str], shell: str) -> None:
        assert run(Command.of("printf", r"%s\0", *texts), shell) == told(texts)

    @pytest.mark.slow
    @settings(max_examples=100, deadline=None)
    @given(st.lists(argument, min_size=1, max_size=5), st.sampled_from(SHELLS))
    def test_a_script_gets_them_unchanged(self, texts: list[str], shell: str) -> None:
        assert run(Command.script(SHOW, *texts), shell) == told(texts)

    @pytest.mark.slow
    @settings(max_examples=60, deadline=None)
    @given(st.lists(argument, min_size=1, max_size=3))
    def test_a_pipeline_passes_them_unchanged(self, texts: list[str]) -> None:
        command = Command.script(SHOW, *texts) | Command.of("cat") | Command.of("cat", "-")
        assert run(command) == told(texts)

    @settings(max_examples=60, deadline=None)
    @given(argument)
    def test_a_program_may_have_any_name(self, name: str) -> None:
        finished = subprocess.run(
            ["bash", "-c", "PATH=; " + Command.of("x" + name).render()],
            capture_output=True,
            check=False,
        )
        assert finished.returncode == 127

    @pytest.mark.parametrize("name", ["if", "!", "{", "time", "A=b", "x y", "-v", "a;b"])
    def test_a_program_name_is_not_syntax(self, name: str, tmp_path: Path) -> None:
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho ran")
        program.chmod(0o755)
        words = ["bash", "-c", Command.of(name).render()]
        finished = subprocess.run(
            words, capture_output=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False
        )
        assert finished.stdout == b"ran\n"

    def test_numbers_and_paths_are_arguments(self) -> None:
        assert Command.of("tail", "-n", 5, PurePosixPath("/a b")).render() == "tail -n 5 '/a b'"

    @pytest.mark.parametrize("bad", ["a\0b", "\ud800"])
    def test_an_impossible_argument_is_refused(self, bad: str) -> None:
        with pytest.raises(Invalid):
            Command.of("echo", bad)

    @pytest.mark.parametrize("bad", [None, True, b"x", 1.5, ["x"]])
    def test_other_types_are_refused(self, bad: object) -> None:
        with pytest.raises(ProgrammerError):
            Command.of("echo", bad)  # type: ignore[arg-type]

    def test_a_too_long_argument_is_refused(self) -> None:
        assert Command.of("echo", "x" * (MAX_COMMAND_BYTES - 10)).render()
        with pytest.raises(Invalid):
            Command.of("echo", "x" * MAX_COMMAND_BYTES).render()

    def test_a_program_is_required(self) -> None:
        with pytest.raises(Invalid):
            Command.of("")


class TestScripts:
    def test_it_stops_at_the_first_error(self) -> None:
        words = ["bash", "-c", Command.script(Script("test.fails", "false\necho on")).render()]
        assert subprocess.run(words, capture_output=True, check=False).stdout == b""

    def test_its_name_is_shown(self) -> None:
        assert run(Command.script(Script("test.name", 'echo "$0"'))) == b"test.name\n"

    @pytest.mark.parametrize("name", ["", "-x", "a b", "$(id)"])
    def test_its_name_is_restricted(self, name: str) -> None:
        with pytest.raises(ProgrammerError):
            Script(name, "true")


class TestPipelines:
    def test_it_fails_when_its_first_stage_fails(self) -> None:
        line = (Command.of("false") | Command.of("cat")).render()
        for shell in SHELLS:
            assert subprocess.run([shell, "-c", line], check=False).returncode == 1

    def test_its_first_stage_gets_the_input(self) -> None:
        assert run((Command.of("cat") | Command.of("rev")).with_input("abc\n")) == b"cba\n"

    def test_no_other_stage_may_have_input(self) -> None:
        with pytest.raises(ProgrammerError):
            Command.of("true") | Command.of("cat").with_input("x")


class TestFiles:
    @pytest.mark.slow
    @settings(max_examples=40, deadline=None)
    @given(name=argument.filter(lambda n: "/" not in n and n not in ("", ".", "..")))
    def test_any_file_name_can_be_written_and_read(
        self, name: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        path = f"{tmp_path_factory.mktemp('files')}/{name}"
        run(Command.of("echo", "one").with_stdout_to(path))
        run(Command.of("echo", "two").with_stdout_to(path, append=True))
        assert run(Command.of("cat").with_stdin_from(path)) == b"one\ntwo\n"

    @pytest.mark.parametrize(
        "path", ["relative", "", "&1", "/dev/tcp/192.0.2.1/80", "/dev/udp/h/1", "/dev/fd/1"]
    )
    def test_only_a_file_is_accepted(self, path: str) -> None:
        with pytest.raises(Invalid):
            Command.of("echo").with_stdout_to(path)

    def test_there_is_only_one_input(self) -> None:
        with pytest.raises(ProgrammerError):
            Command.of("cat").with_stdin_from("/etc/hosts").with_input("x")
        with pytest.raises(ProgrammerError):
            Command.of("cat").with_input("x").with_stdin_from("/etc/hosts")


class TestSecrets:
    WORD = "s3cr3t-Ω"

    @pytest.mark.slow
    @given(st.text(min_size=6).map(lambda t: "«" + t + "»"))
    def test_a_secret_is_never_shown(self, text: str) -> None:
        secret = Secret(text)
        command = Command.of("chpasswd").with_input("root:", secret, "\n")
        shown = [
            *(repr(secret), str(secret), f"{secret}", f"{secret:>40}"),
            *("%s %r".__mod__((secret, secret)), repr({"c": [command, secret]})),
            *(repr(command), str(command), f"{command}", command.masked, command.render()),
            repr(copy.deepcopy(command)),
        ]
        assert not [s for s in shown if text in s]

    def test_it_is_sent(self) -> None:
        assert (
            run(Command.of("cat").with_input("a ", Secret(self.WORD))).decode() == f"a {self.WORD}"
        )

    def test_it_is_not_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        logging.getLogger("test").warning(
            "%s %r", Secret(self.WORD), Command.of("x").with_input(Secret(self.WORD))
        )
        assert self.WORD not in caplog.text

    def test_it_is_rejected_as_an_argument(self) -> None:
        with pytest.raises(ProgrammerError) as caught:
            Command.of("mysql", "-p", Secret(self.WORD))  # type: ignore[arg-type]
        assert self.WORD not in "".join(traceback.format_exception(caught.value))

    @pytest.mark.parametrize("write", [pickle.dumps, json.dumps])
    def test_it_cannot_be_pickled(self, write: object) -> None:
        with pytest.raises((GuardiaError, TypeError)) as caught:
            write(Secret(self.WORD))  # type: ignore[operator]
        assert self.WORD not in str(caught.value)

    def test_it_has_no_printable_attributes(self) -> None:
        with pytest.raises(TypeError):
            vars(Secret(self.WORD))

    def test_secrets_of_equal_text_are_equal(self) -> None:
        assert Secret("a") == Secret("a") != Secret("b")
        assert len({Secret("a"), Secret("a")}) == 1

    def test_too_long_an_input_is_refused_without_showing_it(self) -> None:
        with pytest.raises(Invalid) as caught:
            Command.of("cat").with_input(Secret(self.WORD * 200_000))
        assert self.WORD not in str(caught.value)


def test_a_command_is_a_value() -> None:
    assert Command.of("df", "-k") == Command.of("df", "-k")
    assert len({Command.of("a"), Command.of("a"), Command.of("b")}) == 2


def test_masked_shows_exactly_what_runs() -> None:
    command = Command.of("echo", "a b")
    assert command.masked == command.render() == "echo 'a b'"
