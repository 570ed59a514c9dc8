"""Thread dumps of a real Java virtual machine, by jcmd and by SIGQUIT."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from guardia.errors import CommandFailed
from guardia.org.directory import Service

pytestmark = [
    pytest.mark.ssh,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java is installed"),
]
Ask = Callable[..., dict[str, Any]]
_PROGRAM = """
public class Locked {
  static final Object a = new Object(), b = new Object();
  static void take(Object one, Object other) {
    synchronized (one) {
      try { Thread.sleep(300); } catch (InterruptedException e) { return; }
      synchronized (other) { System.out.println("never"); }
    }
  }
  public static void main(String[] words) throws Exception {
    new Thread(() -> take(a, b), "http-nio-8080-exec-1").start();
    new Thread(() -> take(b, a), "http-nio-8080-exec-2").start();
    Thread.sleep(600000);
  }
}
"""


@pytest.fixture
def was(tmp_path: Path) -> Iterator[Service]:
    """A service whose two request threads are deadlocked; its console goes to catalina.out."""
    (tmp_path / "run").mkdir()
    (tmp_path / "Locked.java").write_text(_PROGRAM)
    with (tmp_path / "catalina.out").open("w") as out:
        words = ["java", "-Xmx32m", "-XX:+UseSerialGC", str(tmp_path / "Locked.java")]
        process = subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    (tmp_path / "run" / "was.pid").write_text(f"{process.pid}\n")
    yield Service(name="was", kind="http", product="tomcat", root=str(tmp_path), logs=str(tmp_path))
    process.kill()
    process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("jcmd", ["/usr/bin/jcmd", "/nowhere/jcmd"])
def test_a_deadlock_and_the_heap(ask: Ask, sshd: Any, was: Service, jcmd: str) -> None:
    host = sshd.host(was, facts={"programs": (jcmd,)})

    def found() -> dict[str, Any]:
        try:
            return ask("jvm.threads", host, service="was")
        except CommandFailed:
            return {"deadlocked": []}

    assert wait_until(lambda: len(found()["deadlocked"]) == 2)
    threads = found()
    assert {one["state"]: one["count"] for one in threads["states"]}["BLOCKED"] == 2
    assert {one["holder"] for one in threads["blocked"]} == {
        "http-nio-8080-exec-1",
        "http-nio-8080-exec-2",
    }
    assert threads["hot"][0]["frame"].startswith("Locked.take(")
    assert threads["busy_requests"] == 2
    heap = ask("jvm.heap", host, service="was")
    assert heap["max_kb"] == 32_768
    assert 0 < heap["used_kb"] <= heap["committed_kb"]


def test_a_service_without_a_java_process(ask: Ask, sshd: Any, tmp_path: Path) -> None:
    host = sshd.host(Service(name="was", kind="http", root=str(tmp_path), logs=str(tmp_path)))
    with pytest.raises(CommandFailed, match="no Java process"):
        ask("jvm.threads", host, service="was")
