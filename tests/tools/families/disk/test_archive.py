"""Archiving and restoring real files, over real SSH."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jmespath
import pytest
from log_files import ID, archive, archived, line, lines, numbers, service_of
from waiting import PATIENCE, wait_until

from guardia.board.core.plan import ToolCall
from guardia.errors import CommandFailed
from guardia.org.directory import Host
from guardia.tools import planning
from guardia.tools.transport.connections import Connections

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]


def server_with(start_sshd: Callable[..., Any], folder: Path, name: str, script: str) -> Any:
    """Start a server on which a script replaces one of its programs."""
    program = folder / "path" / name
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return start_sshd(environment={"PATH": f"{program.parent}:/usr/bin:/bin"})


class TestArchive:
    def test_the_copy_is_complete_and_the_original_empty(
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
        assert log.read_bytes() == b""
        assert (log.stat().st_ino, log.stat().st_mode & 0o777) == (inode, 0o640)
        looked = ask("disk.archived", host, service="minwon", name="app.log", id=ID)
        assert looked == {"archived": True, "bytes": len(data), "original_bytes": 0}

    def test_a_running_writer_goes_on(self, ask: Ask, host: Host, root: Path) -> None:
        """The writer's lines are in the copy or in the log, except for one gap between the two.

        Its length depends on the speed of the machine.
        """
        log = root / "logs" / "app.log"
        log.write_bytes(lines(50_000))
        count, stop = 0, threading.Event()

        def write() -> None:
            nonlocal count
            with log.open("ab", buffering=0) as file:
                while not stop.is_set():
                    file.write(line(count))
                    count += 1
                    time.sleep(0.002)

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        assert wait_until(lambda: count > 20)
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        cut = count
        assert wait_until(lambda: count > cut)
        stop.set()
        writer.join()
        copied, left = numbers(archived(root)), numbers(log.read_bytes())
        assert copied == list(range(len(copied))) and len(copied) > 20
        assert left == list(range(left[0], count)) and left[0] >= len(copied)

    def test_only_lines_between_the_last_check_and_the_truncation_are_lost(
        self, start_sshd: Callable[..., Any], root: Path, tmp_path: Path
    ) -> None:
        """A writer that writes ten lines after some of the size checks of its file."""
        log, looks, data = root / "logs" / "app.log", tmp_path / "looks", lines(3000)
        log.write_bytes(data)
        looks.mkdir()
        server = server_with(
            start_sshd,
            tmp_path,
            "stat",
            f'''/usr/bin/stat "$@"
            case "$*" in *"{log}") ;; *) exit 0 ;; esac
            n=$(ls {looks} | grep -c asked); touch {looks}/asked.$n
            until [ -e {looks}/answered.$n ]; do sleep 0.02; done''',
        )
        # The last check finds everything copied; then ten more lines are written.
        written = [range(10), range(10, 20), range(20, 30), range(0), range(30, 40)]
        with (
            log.open("ab", buffering=0) as file,
            Connections(server) as connections,
            ThreadPoolExecutor(1) as threads,
        ):
            running = threads.submit(archive, connections, server.host(service_of(root)))
            for look, lines_then in enumerate(written):
                asked = looks / f"asked.{look}"
                assert wait_until(lambda asked=asked: asked.exists() or running.done())
                file.writelines(map(line, lines_then))
                (looks / f"answered.{look}").touch()
            found = running.result(PATIENCE)
            file.writelines(map(line, range(40, 50)))
        assert len(list(looks.glob("asked.*"))) == len(written)
        assert archived(root).startswith(data) and len(archived(root)) == found["bytes"]
        assert numbers(archived(root)) == list(range(30))
        assert numbers(log.read_bytes()) == list(range(40, 50))
        assert log.read_bytes().startswith(b"line ")  # no hole in place of the archived part

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
        assert not list((root / "archive").glob("*.later"))
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

    def test_an_archiving_killed_at_the_truncation_can_be_undone(
        self, ask: Ask, host: Host, root: Path
    ) -> None:
        log = root / "logs" / "app.log"
        log.write_bytes(b"whole\n")
        ask("disk.archive", host, service="minwon", name="app.log", id=ID)
        state = root / "archive" / f"app.log.{ID}.state"
        state.write_text(state.read_text().splitlines(keepends=True)[0])
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

    @pytest.mark.parametrize("kind", ["link", "folder", "missing", "empty"])
    def test_only_a_non_empty_regular_file(
        self, ask: Ask, host: Host, root: Path, kind: str
    ) -> None:
        path, victim = root / "logs" / "app.log", root / "victim"
        victim.write_bytes(b"precious")
        if kind == "link":
            path.symlink_to(victim)
        elif kind == "folder":
            path.mkdir()
        elif kind == "empty":
            path.touch()
        with pytest.raises(CommandFailed):
            ask("disk.archive", host, service="minwon", name="app.log", id=ID)
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
