"""Folders of one server of the fleet, restored to the known state at every start."""

from __future__ import annotations

import datetime
import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from guardia.org.directory import Service
from guardia.tools.lab.blueprint import ServiceSpec

_SERVICES = Path(__file__).resolve().with_name("services")
_PYTHON = (sys.executable, "-I", "-S", "-E")
_DEBUG_LIMIT = 8_000_000  # bytes, if the logs have no volume of their own to bound them
_CERTIFICATE_DAYS = 120


@dataclass(frozen=True)
class LabServer:
    """A server's home and its service's folder in it."""

    server_id: str
    home: Path
    spec: ServiceSpec
    port: int | None

    @property
    def root(self) -> Path:
        """The service's folder: `releases/ current conf/ logs/ run/`."""
        return self.home / "srv" / self.spec.name

    @property
    def logs(self) -> Path:
        """The log folder; on one server a volume of its own."""
        return self.root / "logs"

    @property
    def control(self) -> Path:
        """The control script."""
        return self.home / "bin" / f"{self.spec.name}ctl"

    @property
    def pid_file(self) -> Path:
        """The file with the process id of the running service."""
        return self.root / "run" / f"{self.spec.name}.pid"

    def service(self) -> Service:
        """Return the service as the CMDB records it."""
        spec = self.spec
        return Service(
            name=spec.name,
            kind=spec.kind,
            port=self.port,
            control=str(self.control) if spec.is_program else None,
            health="/health" if spec.kind in ("http", "tls") else None,
            root=str(self.root),
            logs=str(self.logs),
            database=None if spec.is_program else spec.name,
        )


def prepare(server: LabServer) -> None:
    """Create what is missing and restore what a story has changed; logs and archives stay."""
    for folder in ("bin", "srv"):
        (server.home / folder).mkdir(parents=True, exist_ok=True)
    shutil.rmtree(server.root / "run", ignore_errors=True)
    for folder in ("conf", "logs", "run", "releases"):
        (server.root / folder).mkdir(parents=True, exist_ok=True)
    if server.spec.is_program:
        set_log_level(server, "INFO")
        for release in server.spec.releases:
            _write_release(server, release.version, release.broken)
        activate_release(server, server.spec.releases[0].version)
    if server.spec.kind == "tls":
        _ensure_certificate(server.root / "conf", server.server_id)


def set_log_level(server: LabServer, level: str) -> None:
    """Configure the log level; the service reads it on reload."""
    (server.root / "conf" / "log_level").write_text(f"{level}\n", "ascii")


def activate_release(server: LabServer, version: str) -> None:
    """Point `current` to a release."""
    fresh = server.root / ".current.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(Path("releases", version))
    fresh.replace(server.root / "current")


def _write_release(server: LabServer, version: str, broken: bool) -> None:
    folder = server.root / "releases" / version
    folder.mkdir(exist_ok=True)
    app = {"version": version, "title": server.spec.title, "broken": broken}
    (folder / "app.json").write_text(json.dumps(app, ensure_ascii=False), "utf-8")


def write_control_script(server: LabServer, *, tied_to: int | None, bounded: bool) -> None:
    """Write the control script.

    `tied_to` is the server process with which the services must end, if no namespace ends them.
    `bounded` says that a volume limits the logs.
    """
    tie = [] if tied_to is None else [*_PYTHON, str(_SERVICES / "tied.py"), str(tied_to)]
    lines = [
        "#!/bin/bash",
        f"NAME={shlex.quote(server.spec.name)}",
        f"ROOT={shlex.quote(str(server.root))}",
        f"TIE=({shlex.join(tie)})",
        f"PROGRAM=({shlex.join(_program(server, bounded))})",
        f". {shlex.quote(str(_SERVICES / 'control.sh'))}",
    ]
    server.control.write_text("\n".join(lines) + "\n", "utf-8")
    server.control.chmod(0o755)


def _program(server: LabServer, bounded: bool) -> list[str]:
    spec = server.spec
    program = "auth_log.py" if spec.kind == "authlog" else "http_server.py"
    line = [*_PYTHON, str(_SERVICES / program)]
    line += ["--root", str(server.root), "--logs", str(server.logs), "--name", spec.name]
    if spec.kind == "authlog":
        return [*line, "--host", server.server_id]
    line += ["--port", str(server.port)]
    if spec.kind == "tls":
        line.append("--tls")
    return line if bounded else [*line, "--debug-limit", str(_DEBUG_LIMIT)]


def _ensure_certificate(folder: Path, name: str) -> None:
    path, now = folder / "tls.crt", datetime.datetime.now(datetime.UTC)
    if path.exists():
        known = x509.load_pem_x509_certificate(path.read_bytes())
        if known.not_valid_after_utc > now + datetime.timedelta(days=7):
            return
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name.lower())])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    write_private(folder / "tls.key", key.private_bytes(pem, form, plain))
    path.write_bytes(certificate.public_bytes(pem))


def write_private(path: Path, content: bytes) -> None:
    """Write a file with mode 0600 atomically."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
