"""Contents that are brought onto a server before a command starts, over real SSH."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from cutting_proxy import CuttingProxy
from waiting import PATIENCE, wait_until

from guardia.errors import NotTransferred, Refused, Stale
from guardia.tools.command import Command, Upload
from guardia.tools.output import ExitReason
from guardia.tools.transport import sftp
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.supervised_shell import FenceGuard

pytestmark = pytest.mark.ssh

CONTENT = os.urandom(5 << 20)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
UPLOAD = Upload(SHA256, len(CONTENT))


class Contents:
    """A store with one content."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content

    def open(self, sha256: str) -> BinaryIO:
        if sha256 != SHA256:
            raise Refused(why="not here")
        return BytesIO(self.content)


@pytest.fixture(scope="module")
def server(start_sshd: Callable[..., Any]) -> Any:
    return start_sshd(more="Subsystem sftp internal-sftp")


@pytest.fixture
def part(server: Any, login_folder: Path) -> Iterator[Path]:
    """Where the content arrives; removed afterwards."""
    # A session begins in the account's own home, whatever HOME says.
    path = login_folder / UPLOAD.path
    path.unlink(missing_ok=True)
    yield path
    path.unlink(missing_ok=True)


def run(server: Any, contents: Contents | None, *, port: int = 0, **more: Any) -> Any:
    host = server.host(**({"port": port} if port else {}))
    command = more.pop("command", Command.of("true")).with_upload(more.pop("upload", UPLOAD))
    with Connections(server, contents=contents) as connections:
        return connections.run(host, command, timeout=PATIENCE, **more)


@pytest.mark.slow
def test_a_content_is_there_before_the_command_starts(server: Any, part: Path) -> None:
    done = run(server, Contents(), command=Command.of("sha256sum", UPLOAD.path))
    assert done.stdout.split()[0] == SHA256
    assert part.read_bytes() == CONTENT and stat.S_IMODE(part.stat().st_mode) == 0o600
    again = run(server, Contents(b""), command=Command.of("true"))
    assert again.exit == 0  # nothing is sent twice


@pytest.mark.slow
def test_a_cut_connection_is_resumed_where_it_broke(server: Any, part: Path) -> None:
    proxy = CuttingProxy(server.port, after=3 << 20)
    done = run(server, Contents(), port=proxy.port, command=Command.of("sha256sum", UPLOAD.path))
    proxy.close()
    assert done.stdout.split()[0] == SHA256
    # Without resuming, the second connection would have carried all of it.
    assert len(proxy.sent) == 2 and proxy.sent[1] < len(CONTENT)


@pytest.mark.slow
def test_a_connection_that_is_always_cut_gives_up_and_changes_nothing(
    server: Any, part: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sftp, "_FAILURES", 2)
    proxy = CuttingProxy(server.port, after=20_000, cuts=1000)
    mark = tmp_path / "ran"
    with pytest.raises(NotTransferred):
        run(server, Contents(), port=proxy.port, command=Command.of("touch", str(mark)))
    proxy.close()
    assert not mark.exists()


@pytest.mark.parametrize("wrong", [b"x" * 100, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 9)])
def test_another_beginning_is_replaced(server: Any, part: Path, wrong: bytes) -> None:
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(wrong)
    assert run(server, Contents()).exit == 0
    assert part.read_bytes() == CONTENT


def test_a_content_that_changed_in_the_store_is_not_deployed(server: Any, part: Path) -> None:
    with pytest.raises(NotTransferred, match="SHA-256"):
        run(server, Contents(CONTENT[:-1] + b"!"))


def test_what_the_store_lacks_is_refused_before_anything_is_sent(server: Any, part: Path) -> None:
    with pytest.raises(Refused):
        run(server, Contents(), upload=Upload("0" * 64, 5))
    with pytest.raises(NotTransferred):
        run(server, None)
    assert not part.exists()


def test_a_disk_without_room_is_found_before_the_first_byte(server: Any, part: Path) -> None:
    with pytest.raises(NotTransferred, match="남은 공간"):
        run(server, Contents(), upload=Upload(SHA256, 1 << 55))
    assert not part.exists() or not part.stat().st_size


def test_a_server_that_refuses_to_write_is_a_finding(
    server: Any, part: Path, tmp_path: Path
) -> None:
    part.mkdir(parents=True)
    mark = tmp_path / "ran"
    with pytest.raises(NotTransferred, match="거부"):
        run(server, Contents(), command=Command.of("touch", str(mark)))
    part.rmdir()
    assert not mark.exists()


def test_a_cancelled_transfer_ends_at_once(server: Any, part: Path) -> None:
    cancel = threading.Event()

    class Slow(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            cancel.wait(0.05)
            return super().read(size)

    class SlowContents(Contents):
        def open(self, sha256: str) -> BinaryIO:
            return Slow(CONTENT)

    threading.Thread(
        target=lambda: (wait_until(lambda: part.exists() and part.stat().st_size > 0), cancel.set())
    ).start()
    done = run(server, SlowContents(), cancel=cancel)
    assert done.exit_reason is ExitReason.CANCELLED and done.is_confirmed_gone
    assert part.stat().st_size < len(CONTENT)


def test_a_stale_claim_sends_nothing(server: Any, part: Path, tmp_path: Path) -> None:
    def stale() -> None:
        raise Stale(what="SR-1")

    mark = tmp_path / "ran"
    guard = FenceGuard("guardia:1:abc:0:do", stale)
    with pytest.raises(Stale):
        run(server, Contents(), fence_guard=guard, command=Command.of("touch", str(mark)))
    assert not part.exists() and not mark.exists()
