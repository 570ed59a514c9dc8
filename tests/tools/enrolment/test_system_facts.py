"""Versions of software are read out of what the programs print."""

from __future__ import annotations

import pytest

from guardia.tools.enrolment.system_facts import software_versions


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("nginx nginx version: nginx/1.22.1", "1.22.1"),
        ("apache Server version: Apache/2.4.58 (Ubuntu)", "2.4.58"),
        ("postgresql psql (PostgreSQL) 16.2 (Debian 16.2-1)", "16.2"),
        ("mysql mysql  Ver 8.0.34 for Linux on x86_64", "8.0.34"),
        ("mariadb mysql  Ver 15.1 Distrib 10.6.12-MariaDB, for debian", "10.6.12"),
        ('java java version "1.8.0_371"', "8.0"),
        ('java openjdk version "11.0.20" 2023-07-18', "11.0.20"),
        ('java openjdk version "17" 2021-09-14', "17"),
        ("python Python 3.11.7", "3.11.7"),
        ("node v18.19.0", "18.19.0"),
        ("docker Docker version 20.10.5, build 55c4c88", "20.10.5"),
        ("redis Redis server v=7.0.4 sha=00000000", "7.0.4"),
        ("bash GNU bash, version 5.1.16(1)-release", "5.1.16"),
        ("nginx command not found", ""),
    ],
)
def test_what_a_program_prints(line: str, version: str) -> None:
    name = line.partition(" ")[0]
    assert software_versions([line, line]) == (((name, version),) if version else ())
