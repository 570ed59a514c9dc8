"""Configuration tests and reloads of a real nginx, over real SSH."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openssh_server import free_port
from waiting import wait_until

from guardia.errors import CommandFailed
from guardia.org.directory import Host, Service

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
pytestmark = [pytest.mark.ssh, pytest.mark.skipif(NGINX is None, reason="nginx is not installed")]
Ask = Callable[..., dict[str, Any]]
_CONFIG = """pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 16; }}
http {{
  access_log off;
  upstream was {{ server 127.0.0.1:1 backup; server 127.0.0.1:2; }}
  server {{
    listen 127.0.0.1:{port};
    server_name a.example b.example;
    location / {{ return {status}; }}
  }}
}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "web.conf"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def host(sshd: Any, config: Path, port: int) -> Host:
    service = Service(
        name="web", kind="http", product="nginx", port=port, health="/", config=str(config)
    )
    found: Host = sshd.host(service, facts={"programs": (NGINX,)})
    return found


def write(config: Path, port: int, status: int = 204) -> None:
    config.write_text(_CONFIG.format(folder=config.parent, port=port, status=status))


@pytest.fixture
def running(config: Path, port: int) -> Iterator[None]:
    write(config, port)
    assert NGINX is not None
    subprocess.run([NGINX, "-c", str(config)], check=True)
    yield
    write(config, port)
    subprocess.run([NGINX, "-c", str(config), "-s", "stop"], check=True)
    assert wait_until(lambda: not (config.parent / "nginx.pid").exists())


def test_a_configuration_is_valid_or_broken_at_a_line(
    ask: Ask, host: Host, config: Path, port: int
) -> None:
    write(config, port)
    assert ask("web.config_test", host, service="web")["valid"] is True
    config.write_text(config.read_text().replace("access_log off;", "acces_log off;"))
    found = ask("web.config_test", host, service="web")
    errors = [p for p in found["problems"] if p["level"] == "error"]
    assert [(e["file"], e["line"]) for e in errors] == [(str(config), 5)]
    assert 'unknown directive "acces_log"' in errors[0]["message"]


def test_sites_as_nginx_itself_reads_them(ask: Ask, host: Host, config: Path, port: int) -> None:
    write(config, port)
    found = ask("web.sites", host, service="web")
    (site,) = found["sites"]
    assert (site["names"], site["line"]) == (["a.example", "b.example"], 7)
    (upstream,) = found["upstreams"]
    assert [(s["address"], s["backup"]) for s in upstream["servers"]] == [
        ("127.0.0.1:1", True),
        ("127.0.0.1:2", False),
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("running")
def test_only_a_tested_configuration_is_applied(
    ask: Ask, host: Host, config: Path, port: int
) -> None:
    def status() -> int | None:
        found: int | None = ask("service.health", host, service="web")["status"]
        return found

    assert status() == 204
    write(config, port, 205)
    ask("web.reload", host, service="web")
    assert wait_until(lambda: status() == 205)
    config.write_text(config.read_text().replace("return 205", "retrun 206"))
    with pytest.raises(CommandFailed, match="retrun"):
        ask("web.reload", host, service="web")
    assert status() == 205
