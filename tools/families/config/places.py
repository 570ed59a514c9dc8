"""Which files belong to a service, how they are tested, and how a change takes effect."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import StringConstraints

from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.families.web import programs
from guardia.tools.tool import Right, ServiceArgs

ConfigPath = Annotated[
    str,
    StringConstraints(max_length=300, pattern=r"^/[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f/]$"),
]
_TOO_WIDE = frozenset(
    (
        "/",
        "/etc",
        "/usr",
        "/usr/local",
        "/opt",
        "/var",
        "/var/lib",
        "/home",
        "/srv",
        "/app",
        "/data",
    )
)
_UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system")
_WEB = ("nginx", "openresty", "apache", "apache2", "httpd")
_TESTS = {
    "openssh": ("sshd", "-t"),
    "sshd": ("sshd", "-t"),
    "haproxy": ("haproxy", "-c", "-f", "{file}"),
    "named": ("named-checkconf",),
    "bind": ("named-checkconf",),
    "postfix": ("postfix", "check"),
    "sudo": ("visudo", "-c"),
}
"""Command that tests the configuration of a product, by product."""


class FileArgs(ServiceArgs):
    """A configuration file of a service."""

    file: ConfigPath


Apply = Literal["reload", "none"]
"""Whether the service reads its configuration again at once, or at its next start."""


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Everything that the scripts of this family need to know of a file."""

    file: str
    roots: tuple[str, ...]
    """One of them contains the file, with all links resolved."""
    programs: tuple[str, ...]
    """cp, mv and cat."""
    staged: str
    """Where the account prepares the new text before root copies it."""
    test: tuple[str, ...]
    reload: tuple[str, ...]

    @property
    def arguments(self) -> tuple[str | int, ...]:
        """The arguments of `CHANGE_FILE`."""
        return (
            *self.programs,
            self.file,
            self.staged,
            len(self.roots),
            *self.roots,
            len(self.test),
            *self.test,
            len(self.reload),
            *self.reload,
        )


def file_plan(host: Host, args: FileArgs, apply: Apply = "reload") -> FilePlan:
    """Return what is known of a file. Raises `Refused` for one that is not the service's own."""
    service = target.service_on(host, args.service)
    roots = _roots(host, service)
    if ".." in args.file.split("/") or not any(_is_below(args.file, root) for root in roots):
        raise Refused(
            why=t(
                "tools.config.not_its_file",
                service=service.name,
                file=args.file,
                roots=", ".join(roots) or "-",
            )
        )
    return FilePlan(
        args.file,
        roots,
        tuple(map(host.facts.program, ("cp", "mv", "cat"))),
        staged_path(host, args.file),
        test_command(host, service, args.file),
        reload_command(host, service, args.file) if apply == "reload" else (),
    )


def staged_path(host: Host, file: str) -> str:
    """Return the path at which the account prepares a file; fixed, so that sudoers can name it."""
    digest = hashlib.sha256(f"{host.account}:{file}".encode()).hexdigest()[:16]
    return f"/var/tmp/.guardia-{digest}"


def _roots(host: Host, service: Service) -> tuple[str, ...]:
    """Return the folders and files that belong to a service; never a folder that all share."""
    found = []
    if service.config:
        config = target.config(service)
        found.append(config)
        if _names_a_file(config):
            found.append(config.rpartition("/")[0])
    if service.root:
        found.append(target.root(service))
    if target.is_systemd(host, service):
        found += [f"{folder}/{target.unit(host, service)}.d" for folder in _UNIT_FOLDERS]
    return tuple(path for path in dict.fromkeys(found) if path not in _TOO_WIDE)


def _names_a_file(config: str) -> bool:
    """Return whether a path is that of a file, as far as its name says: `nginx.conf`."""
    name = config.rsplit("/", 1)[-1]
    return "." in name or name.endswith(("config", "rc"))


def _is_below(file: str, root: str) -> bool:
    return file == root or file.startswith(root + "/")


def _is_drop_in(file: str) -> bool:
    return file.startswith(_UNIT_FOLDERS)


def test_command(host: Host, service: Service, file: str) -> tuple[str, ...]:
    """Return the command that tests the syntax; empty if the product has none."""
    product = service.product.lower()
    if _is_drop_in(file):
        return (host.facts.program("systemd-analyze"), "verify", target.unit(host, service))
    if product in _WEB:
        return programs.test_command(host, service)
    known = _TESTS.get(product)
    if known is None:
        return ()
    return (host.facts.program(known[0]), *(word.format(file=file) for word in known[1:]))


def reload_command(host: Host, service: Service, file: str) -> tuple[str, ...]:
    """Return the command that applies a changed file without a restart."""
    if _is_drop_in(file):
        return (host.facts.program("systemctl"), "daemon-reload")
    if service.product.lower() in _WEB:
        return programs.reload_command(host, service)
    if target.is_systemd(host, service):
        return (host.facts.program("systemctl"), "reload", target.unit(host, service))
    return (target.control(service), "reload")


def file_rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    """Return what a change of the main configuration file needs where only root may write."""
    if service is None or not service.config or not _names_a_file(service.config):
        return ()
    return rights_for(host, service, target.config(service))


def rights_for(host: Host, service: Service, file: str) -> tuple[Right, ...]:
    """Return what a change of one file of a service needs where only root may write."""
    folder, _, name = file.rpartition("/")
    new, old = f"{folder}/.{name}.guardia-new", f"{folder}/.{name}.guardia-old"
    cp, mv, cat = map(host.facts.program, ("cp", "mv", "cat"))
    test, again = test_command(host, service, file), _reload_right(host, service, file)
    return (
        (cat, file),
        (cp, "-p", file, old),
        (cp, "-p", file, new),
        (cp, staged_path(host, file), new),
        (cp, "-p", old, new),
        (mv, "-f", new, file),
        *((test,) if test else ()),
        *((again,) if again else ()),
    )


def _reload_right(host: Host, service: Service, file: str) -> Right:
    command = reload_command(host, service, file)
    own_script = command[0] == service.control and not target.is_init_script(service)
    return () if own_script else command


def read_rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    """Return what reading the main configuration file needs where only root may read."""
    return tuple(right for right in file_rights(host, service) if right[0].endswith("cat"))
