"""Write what is particular to one machine into its root before it starts."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import asyncssh

from guardia.tools.lab import layout
from guardia.tools.lab.machines.certificates import create_certificate
from guardia.tools.lab.machines.spec import ACCOUNT, PERSON, SYSVINIT, MachineSpec

_FILES = Path(__file__).resolve().with_name("files")


def prepare(root: Path, spec: MachineSpec, authorized_key: str, password: str) -> str:
    """Prepare the machine whose file system is in `root`. Returns its public host key."""
    values = {"name": spec.name, "address": spec.address, "site": spec.site, **spec.ports}
    _write_files(_FILES / spec.role.make.image, root, values)
    (root / "etc/hostname").write_text(f"{spec.name}\n", "utf-8")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{spec.address} {spec.name}\n", "utf-8")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("# no name server\n", "utf-8")
    _authorize(root, authorized_key)
    _set_password(root, password)
    _write_certificate(root, spec)
    _enable_parts(root, spec)
    return _create_host_key(root)


def _write_files(source: Path, root: Path, values: dict[str, object]) -> None:
    for path in sorted(source.rglob("*")):
        target = root / path.relative_to(source)
        if path.is_dir():
            target.mkdir(exist_ok=True)
            continue
        text = path.read_text("utf-8")
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", str(value))
        target.write_text(text, "utf-8")
        target.chmod(0o755 if text.startswith("#!") else 0o644)


def _authorize(root: Path, key: str) -> None:
    account = _account(root, ACCOUNT)
    folder = root / f"home/{ACCOUNT}/.ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / "authorized_keys"
    file.write_text(f"{key}\n", "ascii")
    for path in (folder, file):
        os.chown(path, *account)


def _account(root: Path, name: str) -> tuple[int, int]:
    for line in (root / "etc/passwd").read_text("utf-8").splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2]), int(fields[3])
    raise KeyError(name)


def _set_password(root: Path, password: str) -> None:
    line = f"{ACCOUNT}:{password}\n{PERSON}:{password}\n".encode()
    subprocess.run(["chroot", str(root), "chpasswd"], input=line, check=True)


def _write_certificate(root: Path, spec: MachineSpec) -> None:
    folder = root / spec.role.make.tls.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = create_certificate(spec.site, ends_in_days=120)
    (folder / "site.crt").write_bytes(certificate)
    layout.write_private(folder / "site.key", key)


def _enable_parts(root: Path, spec: MachineSpec) -> None:
    """Let exactly the services of the machine's role start with it."""
    enable = _enable_scripts if spec.role.make is SYSVINIT else _enable_units
    enable(root, spec)


def _enable_scripts(root: Path, spec: MachineSpec) -> None:
    for part in spec.role.parts:
        unit = spec.role.make.parts[part].unit
        subprocess.run(["chroot", str(root), "update-rc.d", unit, "defaults"], check=True)


def _enable_units(root: Path, spec: MachineSpec) -> None:
    units = root / "etc/systemd/system"
    for path in (_FILES / "systemd/etc/systemd/system").iterdir():
        if found := re.search(r"^WantedBy=(\S+)$", path.read_text("utf-8"), re.MULTILINE):
            (units / f"{found[1]}.wants" / path.name).symlink_to(f"../{path.name}")
    for name, part in spec.role.make.parts.items():
        if name not in spec.role.parts:
            (units / f"multi-user.target.wants/{part.unit}.service").unlink(missing_ok=True)


def _create_host_key(root: Path) -> str:
    key = asyncssh.generate_private_key("ssh-ed25519")
    path = root / "etc/ssh/ssh_host_ed25519_key"
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key())
    public = key.export_public_key().decode("ascii")
    path.with_suffix(".pub").write_text(public, "ascii")
    return " ".join(public.split()[:2])
