"""Archiving and restoring real files, over real SSH."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jmespath
import pytest
from log_files import ID, archive, archived, line, lines, service_of
from waiting import wait_until

from guardia.board.core.plan import ToolCall
from guardia.errors import CommandFailed
from guardia.org.directory import Host
from guardia.tools import planning
from guardia.tools.transport.connections import Connections

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]
BLOCK = 4096


def server_with(start_sshd: Callable[..., Any], folder: Path, name: str, script: str) -> Any:
    """Start a server on which a script replaces one of its programs."""
    program = folder / "path" / name
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return start_sshd(environment={"PATH": f"{program.parent}:/usr/bin:/bin"})


class TestArchive:
    def test_the_copy_is_complete_and_its_space_released(
        self, ask: Ask, host: Host, root: Path
    ) -> None:
        log, data = root / "logs" / "app.log", lines(20_000)
        log.write_bytes(data)
        log.chmod(0o640)
        inode = log.stat().st_ino
        found = ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        copy = root / "archive" / f"app.log.{ID}.gz"
        assert found == {
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "archive": str(copy),
        }
        assert gzip.decompress(copy.read_bytes()) == data
        assert log.read_bytes() == bytes(len(data))
        assert (log.stat().st_ino, log.stat().st_mode & 0o777) == (inode, 0o640)
        looked = ask("disk.archived", host, service="minwon", name="app.log", id=ID)
        assert looked["original_bytes"] <= BLOCK
        assert looked == looked | {"archived": True, "bytes": len(data), "complete": False}

    @pytest.mark.slow
    @pytest.mark.parametrize("mode", ["ab", "r+b"], ids=["appending", "at its own offset"])
    def test_a_running_writer_loses_nothing(
        self, ask: Ask, host: Host, root: Path, mode: str
    ) -> None:
        """Every line is in the copy or in the log, at its place, however the log is opened."""
        log, data = root / "logs" / "app.log", lines(50_000)
        log.write_bytes(data)
        count, stop = 0, threading.Event()

        def write() -> None:
            nonlocal count
            with log.open(mode, buffering=0) as file:
                file.seek(0, os.SEEK_END)
                while not stop.is_set():
                    file.write(line(count))
                    count += 1

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        assert wait_until(lambda: count > 20)
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        cut = count
        assert wait_until(lambda: count > cut)
        assert ask("disk.archived", host, service="minwon", name="app.log", id=ID)["archived"]
        ask("disk.restore", host, service="minwon", name="app.log", id=ID)
        assert ask("disk.archived", host, service="minwon", name="app.log", id=ID)["complete"]
        stop.set()
        writer.join()
        assert log.read_bytes() == data + b"".join(map(line, range(count)))

    def test_a_second_archive_holds_what_was_written_since(
        self, ask: Ask, host: Host, root: Path
    ) -> None:
        log = root / "logs" / "app.log"
        log.write_bytes(lines(3000))
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        with log.open("ab") as file:
            file.write(lines(2000, seed=2))
        found = ask("disk.archive", host, service="minwon", name="app.log", id="second1")
        assert gzip.decompress(Path(found["archive"]).read_bytes()) == lines(2000, seed=2)
        for copy in ("second1", ID):
            ask("disk.restore", host, service="minwon", name="app.log", id=copy)
        assert log.read_bytes() == lines(3000) + lines(2000, seed=2)

    def test_a_file_system_without_holes_is_left_alone_while_it_is_written(
        self, start_sshd: Callable[..., Any], root: Path, tmp_path: Path
    ) -> None:
        server = server_with(
            start_sshd,
            tmp_path,
            "fallocate",
            "echo fallocate: fallocate failed: Operation not supported >&2; exit 1",
        )
        log, data = root / "logs" / "app.log", lines(100)
        log.write_bytes(data)
        with Connections(server) as connections:
            host = server.host(service_of(root))
            with (
                log.open("ab"),
                pytest.raises(CommandFailed, match="releases no parts of a file"),
            ):
                archive(connections, host)
            assert log.read_bytes() == data
            assert not list((root / "archive").iterdir())
            if os.geteuid() == 0:  # only root can see that nothing has the file open
                archive(connections, host)
                assert (log.read_bytes(), archived(root)) == (b"", data)

    @pytest.mark.parametrize("name", ["예산 집행.log", ".hidden", "old/app.log", "$(id) `x`'.log"])
    @pytest.mark.slow
    def test_any_name(self, ask: Ask, host: Host, root: Path, name: str) -> None:
        log = root / "logs" / name
        log.parent.mkdir(exist_ok=True)
        log.write_bytes(lines(3000))
        found = ask("disk.archive", host, service="minwon", name=name, id=ID)
        assert log.read_bytes() == bytes(found["bytes"])
        ask("disk.restore", host, service="minwon", name=name, id=ID)
        assert log.read_bytes() == lines(3000)

    def test_a_rotated_log_is_restored_under_its_new_name(
        self, ask: Ask, host: Host, root: Path
    ) -> None:
        log, data = root / "logs" / "app.log", lines(3000)
        log.write_bytes(data)
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        log.rename(root / "logs" / "app.log.1")
        log.write_bytes(b"new\n")
        ask("disk.restore", host, service="minwon", name="app.log", id=ID)
        assert (root / "logs" / "app.log.1").read_bytes() == data
        assert log.read_bytes() == b"new\n"

    def test_an_archive_of_a_truncated_file_comes_before_what_it_holds_now(
        self, ask: Ask, host: Host, root: Path
    ) -> None:
        """As archives were made before holes were used: the file was truncated."""
        log, folder = root / "logs" / "app.log", root / "archive"
        log.write_bytes(b"later\n")
        folder.mkdir()
        (folder / f"app.log.{ID}.gz").write_bytes(gzip.compress(b"earlier\n"))
        (folder / f"app.log.{ID}.state").write_text("bytes 8\n")
        ask("disk.restore", host, service="minwon", name="app.log", id=ID)
        assert log.read_bytes() == b"earlier\nlater\n"
        assert ask("disk.archived", host, service="minwon", name="app.log", id=ID)["complete"]
        assert not list(folder.glob("*.later"))

    @pytest.mark.slow
    def test_undo_restores_every_byte(self, ask: Ask, host: Host, root: Path) -> None:
        log, data = root / "logs" / "app.log", lines(3000)
        log.write_bytes(data)
        args = {"service": "minwon", "name": "app.log", "id": ID}
        action = planning.propose(ToolCall(tool="disk.archive", args=args), host)

        def holds(checks: Any) -> bool:
            return all(
                jmespath.search(c.expect, ask(c.call.tool, host, **c.call.args)) for c in checks
            )

        assert holds(action.precheck)
        ask("disk.archive", host, **args)
        assert holds(action.verify)
        log.open("ab").write(b"later\n")
        assert action.undo
        ask(action.undo.tool, host, **action.undo.args)
        assert log.read_bytes() == data + b"later\n"
        assert holds(action.undo_verify)
        ask(action.undo.tool, host, **action.undo.args)
        assert log.read_bytes() == data + b"later\n"  # a second undo changes nothing

    def test_a_differing_copy_is_rejected(
        self, start_sshd: Callable[..., Any], root: Path, tmp_path: Path
    ) -> None:
        """A server whose gzip (or disk, or memory) corrupts a letter."""
        server = server_with(
            start_sshd,
            tmp_path,
            "gzip",
            '[ "$1" = -c ] && exec sh -c "tr t T | /usr/bin/gzip -c"\nexec /usr/bin/gzip "$@"',
        )
        log, data = root / "logs" / "app.log", lines(100)
        log.write_bytes(data)
        with (
            Connections(server) as connections,
            pytest.raises(CommandFailed, match="the copy differs"),
        ):
            archive(connections, server.host(service_of(root)))
        assert log.read_bytes() == data
        assert list((root / "archive").iterdir()) == []

    def test_a_deleted_log_is_restored(self, ask: Ask, host: Host, root: Path) -> None:
        log = root / "logs" / "app.log"
        log.write_bytes(b"data\n")
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        log.unlink()
        ask("disk.restore", host, service="minwon", name="app.log", id=ID)
        assert log.read_bytes() == b"data\n"

    def test_a_second_archive_with_the_same_id_is_refused(
        self, ask: Ask, host: Host, root: Path
    ) -> None:
        log = root / "logs" / "app.log"
        log.write_bytes(b"one\n")
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        log.write_bytes(b"two\n")
        with pytest.raises(CommandFailed, match="already archived"):
            ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        assert log.read_bytes() == b"two\n"

    def test_an_incomplete_copy_is_replaced(self, ask: Ask, host: Host, root: Path) -> None:
        log = root / "logs" / "app.log"
        log.write_bytes(b"whole\n")
        (root / "archive").mkdir()
        copy = root / "archive" / f"app.log.{ID}.gz"
        copy.write_bytes(b"half of")
        with pytest.raises(CommandFailed, match="no such archive"):
            ask("disk.restore", host, service="minwon", name="app.log", id=ID)
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        assert gzip.decompress(copy.read_bytes()) == b"whole\n"

    def test_an_archive_without_a_checksum_can_be_restored(
        self, ask: Ask, host: Host, root: Path
    ) -> None:
        log = root / "logs" / "app.log"
        log.write_bytes(b"whole\n")
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        state = root / "archive" / f"app.log.{ID}.state"
        state.write_text(re.sub("sha256.*", "", state.read_text()))
        ask("disk.restore", host, service="minwon", name="app.log", id=ID)
        assert log.read_bytes() == b"whole\n"

    @pytest.mark.parametrize("damage", [b"", b"not gzip", None])
    def test_a_damaged_copy_is_noticed_without_a_checksum(
        self, ask: Ask, host: Host, root: Path, damage: bytes | None
    ) -> None:
        log = root / "logs" / "app.log"
        log.write_bytes(lines(100))
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        copy = root / "archive" / f"app.log.{ID}.gz"
        copy.write_bytes(copy.read_bytes()[:-20] if damage is None else damage)
        log.write_bytes(b"kept")
        with pytest.raises(CommandFailed, match="damaged"):
            ask("disk.restore", host, service="minwon", name="app.log", id=ID)
        assert log.read_bytes() == b"kept"

    @pytest.mark.parametrize(
        "kind", ["link", "hard link", "linked folder", "folder", "missing", "empty"]
    )
    def test_only_a_non_empty_regular_file(
        self, ask: Ask, host: Host, root: Path, kind: str
    ) -> None:
        path, victim = root / "logs" / "app.log", root / "victim"
        victim.write_bytes(b"precious")
        name = "app.log"
        if kind == "link":
            path.symlink_to(victim)
        elif kind == "hard link":
            path.hardlink_to(victim)
        elif kind == "linked folder":
            (root / "logs" / "old").symlink_to(root)
            name = "old/victim"
        elif kind == "folder":
            path.mkdir()
        elif kind == "empty":
            path.touch()
        with pytest.raises(CommandFailed):
            ask("disk.archive", host, service="minwon", name=name, id=ID)
        assert victim.read_bytes() == b"precious"

    def test_a_linked_archive_is_not_followed(self, ask: Ask, host: Host, root: Path) -> None:
        (root / "elsewhere").mkdir()
        (root / "archive").symlink_to(root / "elsewhere")
        (root / "logs" / "app.log").write_bytes(b"x")
        with pytest.raises(CommandFailed, match="archive is a link"):
            ask("disk.archive", host, service="minwon", name="app.log", id=ID)

    def test_a_damaged_copy_is_not_restored(self, ask: Ask, host: Host, root: Path) -> None:
        log = root / "logs" / "app.log"
        log.write_bytes(lines(100))
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        (root / "archive" / f"app.log.{ID}.gz").write_bytes(gzip.compress(b"other"))
        log.write_bytes(b"kept")
        with pytest.raises(CommandFailed, match="damaged"):
            ask("disk.restore", host, service="minwon", name="app.log", id=ID)
        assert log.read_bytes() == b"kept"
