"""A real OpenLDAP and a real OpenID provider on loopback."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from certificates import Authority
from waiting import wait_until

BASE = "dc=example,dc=test"
_SCHEMAS = "".join(
    f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson")
)
_CONF = """pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
database mdb
suffix "{base}"
rootdn "cn=admin,{base}"
rootpw adminpw
directory {folder}/db
index objectClass,uid eq
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
"""


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def ldap_server(folder: Path, people: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Start slapd with people and their passwords; yields the plain and the TLS port."""
    program = shutil.which("slapd", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        pytest.fail("slapd is missing: make test installs it as root (Debian package slapd)")
    (folder / "db").mkdir()
    certificate, key = Authority(folder).issue()
    (folder / "slapd.conf").write_text(
        _SCHEMAS + _CONF.format(folder=folder, base=BASE, certificate=certificate, key=key)
    )
    (folder / "base.ldif").write_text(_ldif(people))
    subprocess.run(
        ["/usr/sbin/slapadd", "-f", "slapd.conf", "-l", "base.ldif"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    plain, tls = free_port(), free_port()
    urls = f"ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{tls}"
    with subprocess.Popen(
        [program, "-f", "slapd.conf", "-h", urls, "-d", "0"],
        cwd=folder,
        stderr=subprocess.DEVNULL,
    ) as running:
        assert wait_until(lambda: answers(plain) and answers(tls))
        try:
            yield plain, tls
        finally:
            running.terminate()


def _ldif(people: dict[str, str]) -> str:
    lines = [f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: E\ndc: example\n"]
    lines.append(f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n")
    for uid, password in people.items():
        lines.append(
            f"dn: uid={uid},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {uid}\n"
            f"cn: {uid}\nsn: {uid}\nuserPassword: {password}\n"
        )
    return "\n".join(lines)


def answers(port: int) -> bool:
    """Return whether something listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def openid_provider(people: dict[str, dict[str, object]]) -> Iterator[str]:
    """Start an OpenID provider with people and their claims; yields its issuer."""
    port = free_port()
    program = str(Path(sys.executable).with_name("oidc-provider-mock"))
    words = [program, "-p", str(port)]
    for sub, claims in people.items():
        words += ["--user-claims", json.dumps({"sub": sub, **claims})]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        issuer = f"http://127.0.0.1:{port}"

        def is_up() -> bool:
            try:
                return httpx.get(f"{issuer}/.well-known/openid-configuration").status_code == 200
            except httpx.HTTPError:
                return False

        try:
            assert wait_until(is_up)
            yield issuer
        finally:
            running.terminate()
