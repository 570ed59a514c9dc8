"""Ports by name: stable between starts, skipped if another program has one."""

from __future__ import annotations

from pathlib import Path

from guardia.tools.lab.ports import PortAllocator


def test_a_name_keeps_its_port(tmp_path: Path) -> None:
    assert PortAllocator(tmp_path).free("db") == PortAllocator(tmp_path).free("db")


def test_a_port_in_use_is_skipped(tmp_path: Path) -> None:
    with PortAllocator(tmp_path).listen("db") as taken:
        assert PortAllocator(tmp_path).free("db") != taken.getsockname()[1]


def test_two_names_never_share_a_port(tmp_path: Path) -> None:
    allocator = PortAllocator(tmp_path)
    ports = [allocator.free(f"name-{n}") for n in range(50)]
    assert len(set(ports)) == 50
