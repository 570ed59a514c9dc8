"""Which server an alert's labels name."""

from __future__ import annotations

import pytest

from guardia.board.alerts.servers import index_of
from guardia.org.directory import Directory, Host, Service

DIRECTORY = Directory(
    servers=(
        Host(
            server_id="MOF-DB-01",
            institution="MOF",
            kind="DB",
            aliases=("기재부 운영DB", "maindb.mof.example"),
            address="10.1.0.5",
        ),
        Host(server_id="MOF-WAS-01", institution="MOF", kind="WAS", address="fd00::7"),
        Host(server_id="LAB-A", institution="LAB", kind="WAS", address="127.0.0.1", port=2201),
        Host(
            server_id="LAB-B",
            institution="LAB",
            kind="DB",
            address="127.0.0.1",
            port=2202,
            services=(Service(name="db", kind="postgresql", port=5433),),
            aliases=("web.one.example",),
        ),
        Host(server_id="LAB-C", institution="LAB", kind="WEB", aliases=("web.two.example",)),
    )
)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("MOF-DB-01", "MOF-DB-01"),
        ("mof-db-01:9100", "MOF-DB-01"),
        ("MOF\uff0dDB\uff0d01", "MOF-DB-01"),
        ("mof-db-01.mof.example:9100", "MOF-DB-01"),
        ("http://mof-db-01:8080/metrics", "MOF-DB-01"),
        ("기재부 운영DB", "MOF-DB-01"),
        ("maindb.mof.example:9100", "MOF-DB-01"),
        ("maindb", "MOF-DB-01"),
        ("10.1.0.5", "MOF-DB-01"),
        ("10.1.0.5:9100", "MOF-DB-01"),
        ("fd00::7", "MOF-WAS-01"),
        ("[fd00:0::0007]:9100", "MOF-WAS-01"),
        ("127.0.0.1:2201", "LAB-A"),
        ("127.0.0.1:5433", "LAB-B"),
        ("127.0.0.1:9100", None),
        ("127.0.0.1", None),
        ("web", None),
        ("maindb.moe.example", None),
        ("10.1.0.50", None),
        ("10", None),
        ("", None),
        ("[", None),
        ("http://[", None),
        ("a:b:c", None),
        ("host:99999999", None),
    ],
)
def test_a_label_names_one_server_or_none(text: str, server: str | None) -> None:
    assert index_of(DIRECTORY).find([text]) == server


def test_the_first_label_that_names_one_decides() -> None:
    assert index_of(DIRECTORY).find(["unknown", "MOF-WAS-01", "MOF-DB-01"]) == "MOF-WAS-01"
