"""Services that are proposed from facts; facts as the reads report them."""

from __future__ import annotations

from typing import Any

import pytest

from guardia.board.cmdb import policy
from guardia.tools import catalog
from guardia.tools.enrolment import proposals
from guardia.tools.enrolment.endpoint_facts import EndpointFindings
from guardia.tools.enrolment.socket_facts import SocketFindings
from guardia.tools.enrolment.system_facts import SystemFindings
from guardia.tools.output import Output

SYSTEM = SystemFindings(
    os="debian", os_version="12", os_name="Debian", system="Linux", kernel="6", machine="x86_64",
    init="systemd", account="ops", uid=1000, groups=[], shell="/bin/bash", encoding="utf-8",
    locales=[], programs=[], sudo=[], disks=[], clock=0.0, versions=[], unreadable=[],
)  # fmt: skip


def running(*lines: str) -> SocketFindings:
    """Return the findings of lines that the script prints, with blanks for tabs."""
    text = "\n".join(line.replace(" ", "\t", 1) for line in lines)
    found = catalog.find("enrol.sockets").parse(Output(0, text, "", 0.1))
    return SocketFindings.model_validate(found)


def answering(*lines: str) -> EndpointFindings:
    text = "\n".join(line.replace(" ", "\t", 1) for line in lines)
    found = catalog.find("enrol.endpoints").parse(Output(0, text, "", 0.1))
    return EndpointFindings.model_validate(found)


def services(
    found: SocketFindings, answers: EndpointFindings | None = None, **system: Any
) -> dict[str, Any]:
    facts = SYSTEM.model_copy(update=system)
    made = proposals.propose("10.0.0.5", facts, found, answers or answering())
    assert all(p.why for p in made)
    return {p.service.name: p.service for p in made}


NGINX = (
    "process 50 1 0 nginx: master process /usr/sbin/nginx -g daemon on;",
    "process 51 50 33 nginx: worker process",
    "cgroup /proc/50/cgroup:0::/system.slice/nginx.service",
    "cgroup /proc/51/cgroup:0::/system.slice/nginx.service",
    "unit Id=nginx.service", "unit MainPID=50", "unit StandardOutput=journal",
    "unit TimeoutStartUSec=1min 30s", "unit ",
)  # fmt: skip
TOMCAT = (
    "process 77 1 997 /usr/lib/jvm/java-17/bin/java -Dcatalina.home=/usr/share/tomcat10 "
    "-Dcatalina.base=/app/was org.apache.catalina.startup.Bootstrap start"
)


@pytest.mark.parametrize(
    ("mentions", "script"),
    [
        (["wasd /app/was/bin/wasctl"], "/etc/init.d/wasd"),
        (["wasd /app/was/bin/wasctl", "tomcat /usr/share/tomcat10/bin"], "/etc/init.d/wasd"),
        (["wasd /app/was/bin/wasctl", "check /app/was/bin/check"], "/etc/init.d/tomcat"),
        (["wasd /app/washer/bin/ctl"], "/etc/init.d/tomcat"),
        ([], "/etc/init.d/tomcat"),
    ],
)
def test_a_control_script_is_found_by_the_folder_that_it_uses(
    mentions: list[str], script: str
) -> None:
    lines = [f"script /etc/init.d/{name}" for name in ("check", "tomcat", "wasd")]
    found = running(TOMCAT, *lines, *(f"mention /etc/init.d/{one}" for one in mentions))
    assert services(found, init="init")["tomcat"].control == script


def test_a_web_server_without_visible_owner_is_found_by_its_answer() -> None:
    found = services(
        running(*NGINX, "tcp 0500000A:0050 0 1", "tcp 0500000A:01BB 0 2", "tcp 00000000:0016 0 3"),
        answering(
            "answer 10.0.0.5/80 http /health HTTP/1.1 200 OK Server: nginx/1.22.1",
            "answer 10.0.0.5/443 https / HTTP/1.1 200 OK Server: nginx",
            "log folder /var/log/nginx",
            "log folder /etc/nginx",
        ),
    )
    web = found["nginx"]
    assert (web.kind, web.product, web.unit, web.port) == ("http", "nginx", "nginx.service", 80)
    assert (web.address, web.health, web.logs) == ("10.0.0.5", "/health", "/var/log/nginx")
    assert (web.config, web.journal, web.control) == ("/etc/nginx", True, None)
    assert (found["nginx-tls"].kind, found["nginx-tls"].port) == ("tls", 443)


def test_two_apaches_are_not_guessed_between() -> None:
    """Both run as root and answer alike: no socket is given to either."""
    found = services(
        running(
            "process 60 1 0 /usr/sbin/httpd -f /a.conf",
            "process 61 1 0 /usr/sbin/httpd -f /b.conf",
            "tcp 00000000:0050 0 1", "tcp 00000000:1F90 0 2",
        ),
        answering("answer 127.0.0.1/80 http / HTTP/1.1 200 OK Server: Apache"),
    )  # fmt: skip
    apaches = [s for s in found.values() if s.product == "apache"]
    assert len(apaches) == 2 and all(s.port is None for s in apaches)
    assert any(s.product == "" and s.port == 80 for s in found.values())


def test_a_tomcat_by_script_has_its_own_folder_and_no_unit() -> None:
    found = services(
        running(
            TOMCAT, "tcp 00000000:1F90 997 1", "tcp 0100007F:1F45 997 2",
            "open /proc/77/fd: l-wx 1 t t 64 May 1 1:00 5 -> /app/was/logs/catalina.out",
            "script /etc/init.d/tomcat",
        ),
        answering(
            "answer 127.0.0.1/8080 http / HTTP/1.1 200 ", "log folder /app/was/logs",
            "log folder /app/was/webapps", "log folder /app/was/conf",
        ),
        encoding="euckr", init="init",
    )  # fmt: skip
    was = found["tomcat"]
    assert (was.unit, was.control, was.port) == (None, "/etc/init.d/tomcat", 8080)
    assert (was.root, was.logs, was.config) == ("/app/was", "/app/was/logs", "/app/was/conf")
    assert (was.layout, was.encoding, was.address) == ("webapps", "euc-kr", None)


@pytest.mark.parametrize(
    ("command", "kind", "product", "port"),
    [
        ("/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main",
         "postgresql", "postgresql", 5432),
        ("/usr/sbin/mariadbd", "mysql", "mariadb", 3306),
        ("/usr/sbin/mysqld --datadir=/data/mysql", "mysql", "mysql", 3306),
        ("tbsvr -t NORMAL -SVR_SID tibero", "tibero", "tibero", 8629),
        ("/home/oracle/bin/tnslsnr LISTENER -inherit", "oracle", "oracle", 1521),
        ("cub_broker", "cubrid", "cubrid", 33000),
        ("java -Djeus.home=/home/jeus jeus.server.Main", "http", "jeus", 8088),
        ("/jdk/bin/java -Dweblogic.Name=s1 weblogic.Server", "http", "weblogic", 7001),
        ("java -jar /app/minwon.jar", "http", "java", 8080),
        ("/usr/sbin/apache2 -k start", "http", "apache", 80),
        ("wsm 0", "http", "webtob", 80),
    ],
)  # fmt: skip
def test_products_are_known_by_their_processes(
    command: str, kind: str, product: str, port: int
) -> None:
    uid = 110
    found = services(running(f"process 70 1 {uid} {command}", f"tcp 0500000A:{port:04X} {uid} 1"))
    (service,) = found.values()
    assert (service.kind, service.product, service.port) == (kind, product, port)


def test_a_database_is_never_asked_over_http() -> None:
    found = running(
        "process 70 1 110 /usr/sbin/mariadbd", "tcp 0500000A:9999 110 1", "tcp 0500000A:1538 0 2",
        "tcp 0500000A:0016 0 3", "tcp 0500000A:1F90 0 4",
    )  # fmt: skip
    assert proposals.endpoints_to_ask("10.0.0.5", found) == ("10.0.0.5/8080",)


def test_on_a_loopback_address_only_its_own_sockets_count() -> None:
    found = running(
        "process 70 1 110 /usr/sbin/mariadbd", "tcp 1401007F:0CEA 110 1", "tcp 1E01007F:0CEA 110 2",
    )  # fmt: skip
    (made,) = proposals.propose("127.0.1.20", SYSTEM, found, answering())
    assert made.service.address == "127.0.1.20"


def test_log_ins_and_system_units_are_proposed() -> None:
    found = services(
        running(
            "unit Id=ssh.service", "unit MainPID=9", "unit ", "unit Id=cron.service",
            "unit MainPID=8", "unit ",
        ),
        answering("log file /var/log/auth.log"),
    )  # fmt: skip
    assert found["auth"].log_files == ("/var/log/auth.log",) and not found["auth"].journal
    assert (found["cron"].kind, found["cron"].unit) == ("system", "cron.service")


def test_hostile_names_make_no_invalid_service() -> None:
    found = services(
        running(
            "process 70 1 0 $(reboot)/../nginx -c /etc/\\nginx.conf",
            "process 71 1 0 java -Dcatalina.base=/a/../etc org.apache.catalina.startup.Bootstrap",
            "process 72 1 0 java -Djeus.home=/ jeus.server.Main",
        )
    )  # fmt: skip
    for service in found.values():
        assert policy.validated_service(service) == service
    assert {s.product for s in found.values()} == {"nginx", "tomcat", "jeus"}


def test_equal_names_get_numbers() -> None:
    lines = [f"process {pid} 1 {pid} java -jar /app/a{pid}.jar" for pid in (70, 71, 72)]
    assert set(services(running(*lines))) == {"java", "java-2", "java-3"}
