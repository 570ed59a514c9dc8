"""`guardia server add`: connect, compare the host key, probe, accept services, register.

Until the last step nothing is written, and that step is one transaction: an end at any moment
leaves no server half enrolled.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli import server_checks, server_env
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import Invalid
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext
    from guardia.org.directory import Host, Login
    from guardia.tools.enrolment.report import ProbeReport


def add(
    server: Annotated[str | None, typer.Argument(help=t("cli.server.id"))] = None,
    institution: Annotated[
        str | None, typer.Option("--institution", help=t("cli.server.institution"))
    ] = None,
    address: Annotated[str | None, typer.Option("--address", help=t("cli.server.address"))] = None,
    port: Annotated[int, typer.Option("--port", help=t("cli.server.port"))] = 22,
    account: Annotated[str | None, typer.Option("--account", help=t("cli.server.account"))] = None,
    kind: Annotated[str | None, typer.Option("--kind", help=t("cli.server.kind"))] = None,
    alias: Annotated[list[str] | None, typer.Option("--alias", help=t("cli.server.alias"))] = None,
    key: Annotated[Path | None, typer.Option("--key", help=t("cli.server.key"))] = None,
    credential: Annotated[
        str | None, typer.Option("--credential", help=t("cli.server.credential"))
    ] = None,
    host_key: Annotated[
        str | None, typer.Option("--host-key", help=t("cli.server.host_key"))
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option("--fingerprint", help=t("cli.server.fingerprint"))
    ] = None,
    known_hosts: Annotated[
        Path | None, typer.Option("--known-hosts", help=t("cli.server.known_hosts"))
    ] = None,
    elevate: Annotated[str, typer.Option("--elevate", help=t("cli.server.elevate"))] = "sudo",
    sudo_credential: Annotated[
        str, typer.Option("--sudo-credential", help=t("cli.server.sudo_credential"))
    ] = "",
    authentication: Annotated[
        str, typer.Option("--authentication", help=t("cli.server.authentication"))
    ] = "key",
    second_factor: Annotated[
        str, typer.Option("--second-factor", help=t("cli.server.second_factor"))
    ] = "",
    bastion: Annotated[
        list[str] | None, typer.Option("--bastion", help=t("cli.server.bastion"))
    ] = None,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", help=t("cli.server.accept"))
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=t("cli.server.accept_all"))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.json"))] = False,
) -> None:
    """Enrol a server."""
    from guardia.board.cmdb import policy, readings, servers
    from guardia.org.directory import Host

    name = server_env.ask(server, "cli.server.id")
    draft = Host(
        server_id=name,
        institution=server_env.ask(institution, "cli.server.institution"),
        kind=(kind or "WAS").upper(),
        address=server_env.ask(address, "cli.server.address"),
        port=port,
        account=server_env.ask(account, "cli.server.account"),
        aliases=tuple(alias or ()),
        credential=credential or (f"ssh-{name}" if key else _ask_credential()),
        login=_login(
            {
                "authentication": authentication,
                "second_factor": second_factor,
                "bastions": tuple(bastion or ()),
                "elevate": elevate,
                "sudo_credential": sudo_credential,
            }
        ),
    )
    policy.validated_host(draft)
    secret = _read_key(key, authentication) if key else None
    with server_env.open_tools() as tools:
        servers.require_new(tools.board, CLI_OPERATOR, draft)
        if secret is not None:
            _prepare_key(tools.secrets, draft, secret)
        pinned = _HostKeyChoice(host_key, fingerprint, known_hosts).pin(draft, quiet=as_json)
        draft = draft.model_copy(update={"host_key": pinned})
        report = server_checks.run_probe(tools, draft)
        services = _choose(report, accept, yes=yes or as_json)
        chosen = draft.model_copy(
            update={
                "facts": report.facts,
                "kind": draft.kind if kind else report.kind,
                "services": services,
            }
        )
        if secret is not None:
            _store_key(tools.board, draft.credential, secret)
        servers.enrol(tools.board, CLI_OPERATOR, chosen)
        readings.keep(tools.board, CLI_OPERATOR, "probe", chosen, report.as_result())
    if as_json:
        server_env.print_json(server_checks.probe_json(chosen, report))
        return
    server_env.print_line("cli.server.added", {"id": name, "services": len(services)})


def _login(given: dict[str, object]) -> Login:
    """Return how to sign in. Raises `Invalid` for a method that there is not."""
    from pydantic import ValidationError

    from guardia.org.directory import Login

    try:
        return Login.model_validate(given)
    except ValidationError:
        why = t("cli.server.no_authentication")
        raise Invalid(what=str(given["authentication"]), why=why) from None


def _read_key(path: Path, authentication: str) -> str:
    """Return a private key, with the certificate beside it where that is how to sign in."""
    if authentication not in ("key", "certificate"):
        raise Invalid(what="--key", why=t("cli.server.key_for_password"))
    text = server_env.read_secret(path)
    beside = path.with_name(f"{path.name}-cert.pub")
    if authentication == "certificate" and beside.is_file():
        text = f"{text.rstrip()}\n{beside.read_text('ascii').strip()}\n"
    return text


def _ask_credential() -> str:
    return server_env.ask(None, "cli.server.credential")


def _prepare_key(secrets: server_env.PendingSecrets, draft: Host, secret: str) -> None:
    """Use a private key before it is stored. Raises `Invalid` if the name has another secret."""
    name = draft.credential
    from guardia.board.cmdb import credentials
    from guardia.tools.transport import private_key

    credentials.require_usable(name, secret)
    if draft.login.authentication == "certificate":
        private_key.load_certified_key(name, secret)
    else:
        private_key.load_private_key(name, secret)
    known = secrets.store.find(name)
    if known and known[0] != secret:
        raise Invalid(what=name, why=t("cli.server.other_key"))
    secrets.pending[name] = secret


def _store_key(board: BoardContext, name: str, secret: str) -> None:
    from guardia.board.cmdb import credentials

    store = server_env.credential_store()
    if not store.find(name):
        store.put(name, secret)
        credentials.record(board, CLI_OPERATOR, name, "key", removed=False)


@dataclass(frozen=True)
class _HostKeyChoice:
    """How a person has said which host key is right."""

    key: str | None
    fingerprint: str | None
    known_hosts: Path | None

    def pin(self, draft: Host, *, quiet: bool) -> str:
        """Return the key to pin. Raises `Invalid` if the server presents another one."""
        from guardia.org import host_key
        from guardia.tools.transport import host_key_scan, known_hosts

        if self.key:
            return host_key.normalized(self.key)
        if self.known_hosts:
            return known_hosts.key_of(self.known_hosts, draft.address, draft.port)
        if self.fingerprint:
            found = host_key_scan.find(draft, self.fingerprint)
            if found is None:
                raise Invalid(what=self.fingerprint, why=t("cli.server.other_fingerprint"))
            return found
        offered = host_key_scan.scan(draft)
        shown = host_key.fingerprint(offered)
        if quiet or not server_env.is_interactive():
            why = t("cli.server.confirm_needed", fingerprint=shown)
            raise Invalid(what="--fingerprint", why=why)
        kind = offered.split()[0]
        words = {"address": f"{draft.address}:{draft.port}", "kind": kind, "fingerprint": shown}
        typer.confirm(t("cli.server.confirm_fingerprint", **words), abort=True)
        return offered


def _choose(report: ProbeReport, accept: list[str] | None, *, yes: bool) -> tuple[object, ...]:
    """Return the accepted services; asks for each if nothing was given."""
    from guardia.tools.enrolment import probe

    if accept is not None:
        unknown = set(accept) - {p.service.name for p in report.proposals}
        if unknown:
            raise Invalid(what=", ".join(sorted(unknown)), why=t("cli.server.not_proposed"))
        return probe.accepted(report, accept)
    if yes or not server_env.is_interactive():
        return probe.accepted(report)
    server_checks.print_proposals(report)
    wanted = [
        p.service.name
        for p in report.proposals
        if typer.confirm(t("cli.server.accept_one", name=p.service.name), default=True)
    ]
    return probe.accepted(report, wanted)
