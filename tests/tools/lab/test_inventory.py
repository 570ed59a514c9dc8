"""Inventory and directory of a running fleet."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from guardia.errors import NotFound
from guardia.tools.lab.blueprint import SERVERS
from guardia.tools.lab.inventory import Inventory, sample_directory
from guardia.tools.lab.running_fleet import RunningFleet


def test_the_inventory_describes_every_server(fleet: RunningFleet) -> None:
    found = Inventory.load(fleet.home)
    assert [host.server_id for host in found.hosts] == [
        s.server_id for s in sample_directory().servers
    ]
    for host in found.hosts:
        assert (host.address, host.account) == ("127.0.0.1", "guardia")
        assert host.host_key.startswith("ssh-ed25519 ")
        assert host.credential == found.credential
        (service,) = host.services
        assert service.root
        assert Path(service.root).is_dir()
        assert service.logs == f"{service.root}/logs"
        assert (service.port is None) == (service.kind == "authlog")
        assert (service.control is None) == (service.kind == "postgresql")
        assert service.control is None or Path(service.control).stat().st_mode & stat.S_IXUSR


def test_directory_and_blueprint_have_the_same_servers() -> None:
    assert {server.server_id for server in sample_directory().servers} == set(SERVERS)
    assert {server.institution for server in sample_directory().servers} <= {
        i.id for i in sample_directory().institutions
    }
    assert len(sample_directory().people) == 12
    assert len(sample_directory().agents) == 5


def test_the_directory_has_the_running_servers(fleet: RunningFleet) -> None:
    directory = fleet.directory()
    assert directory.servers == fleet.inventory.hosts
    assert directory.people == sample_directory().people


def test_keys_are_private(fleet: RunningFleet) -> None:
    name, text = fleet.credential()
    assert name == "practice-fleet"
    assert text.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    for path in [*(fleet.home / "keys").iterdir(), fleet.inventory.control]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_without_a_fleet_nothing_is_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Inventory.load(tmp_path)
    with pytest.raises(NotFound):
        RunningFleet.find(tmp_path)
