"""Debian's Dovecot with mailboxes, and the SMTP server of a site before it.

A mail goes by SMTP to the site's server, by LMTP to Dovecot, and is read there by IMAP. The server
does what a site's border does: it removes results that claim to be its own, and adds its own.
"""

from __future__ import annotations

import getpass
import grp
import imaplib
import os
import pwd
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile
from contextlib import suppress
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import SMTP, default
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from certificates import Authority
from openssh_server import free_port
from waiting import wait_until

from guardia.settings import Settings

DOVECOT = shutil.which("dovecot", path="/usr/sbin:" + os.environ.get("PATH", ""))
PASSWORD = "secret"
BORDER = "mx.mof.test"
PROVED = ("mof.test", "ops.test")
"""Domains whose mails the border proves (SPF), unless they come with `FORGED`."""
FORGED = "x-test-forged"
"""Field of a mail that comes from a server which may not send for its domain."""

_COMMON = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
mail_uid = {user}
mail_gid = {group}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
"""
_TO_2_3 = """
disable_plaintext_auth = no
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
"""
_FROM_2_4 = """dovecot_config_version = {version}
dovecot_storage_version = {version}
auth_allow_cleartext = yes
ssl_server_cert_file = {certificate}
ssl_server_key_file = {key}
mail_driver = maildir
mail_home = {folder}/mail/%{{user}}
mail_path = ~
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {user}
    gid = {group}
  }}
}}
"""


class MailServers:
    """Both servers; every address is a mailbox, except those of `refused`."""

    def __init__(self, *, idle: bool = True) -> None:
        if DOVECOT is None:
            raise RuntimeError("Dovecot is missing: install dovecot-imapd and dovecot-lmtpd")
        # Short: the path of a socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="gm-"))
        self.folder.chmod(0o755)
        self.refused: set[str] = set()
        self.undelivered: set[str] = set()
        """Recipients whose mails are accepted and come back later."""
        self.imap, self.imaps, self.lmtp = free_port(), free_port(), free_port()
        authority = Authority(self.folder)
        self.ca = authority.file
        self.certificate, self.key = authority.issue("mail")
        self._config = self._write_config(idle=idle)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        self.border = Controller(
            _Border(self),
            hostname="127.0.0.1",
            port=free_port(),
            tls_context=context,
            authenticator=_authenticate,
            data_size_limit=200_000_000,
        )
        self.border.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        with suppress(RuntimeError):
            self.border.stop()
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start Dovecot and wait until it answers."""
        assert DOVECOT is not None
        user = _run_user()
        become = [] if user == getpass.getuser() else ["setpriv", f"--reuid={user}"]
        become += become and [f"--regid={_group(user)}", "--clear-groups"]
        command = [*become, DOVECOT, "-F", "-c", str(self._config)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE)
        ready = wait_until(lambda: self._process.poll() is not None or _answers(self.imap))  # type: ignore[union-attr]
        assert ready
        if self._process.poll() is not None:
            assert self._process.stderr is not None
            raise RuntimeError(self._process.stderr.read().decode())

    def stop(self) -> None:
        """Stop Dovecot; mailboxes stay."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            assert self._process.stderr is not None
            self._process.stderr.close()

    def settings(self, home: Path, address: str = "guardia@mof.test", **more: Any) -> Settings:
        """Return settings of an installation whose mailbox is `address`."""
        given: dict[str, Any] = {
            "home": home,
            "mail_address": address,
            "mail_imap": f"imaps://{address.replace('@', '%40')}@127.0.0.1:{self.imaps}/INBOX",
            "mail_smtp": f"smtp://guardia@127.0.0.1:{self.border.port}",
            "mail_password": PASSWORD,
            "mail_ca": self.ca,
            "mail_trusted_server": BORDER,
            "public_origin": "https://board.test",
            "mail_poll_seconds": 5,
        }
        return Settings(**(given | more))

    def send(self, mail: bytes | EmailMessage, to: str, sender: str | None = None) -> None:
        """Send a mail to the site, as another site's server does."""
        raw = mail.as_bytes(policy=SMTP) if isinstance(mail, EmailMessage) else mail
        envelope = "" if sender == "" else sender or _envelope_sender(raw)
        with smtplib.SMTP("127.0.0.1", self.border.port) as server:
            server.sendmail(envelope, [to], raw)

    def mails(self, address: str, folder: str = "INBOX") -> list[Message]:
        """Return the mails of a mailbox, read by IMAP."""
        with imaplib.IMAP4("127.0.0.1", self.imap) as client:
            client.login(address, PASSWORD)
            if client.select(folder, readonly=True)[0] != "OK":
                return []
            numbers = client.search(None, "ALL")[1][0].split()
            found = [client.fetch(n, "(BODY.PEEK[])")[1][0] for n in numbers]
            return [message_from_bytes(one[1], policy=default) for one in found]  # type: ignore[index,misc]

    def unread(self, address: str) -> int:
        """Return the number of unread mails."""
        with imaplib.IMAP4("127.0.0.1", self.imap) as client:
            client.login(address, PASSWORD)
            client.select("INBOX", readonly=True)
            return len(client.search(None, "UNSEEN")[1][0].split())

    def forget_uids(self, address: str) -> None:
        """Give a mailbox new uids, as a restored server does. Dovecot must be stopped."""
        for path in (self.folder / "mail" / address).glob("dovecot*"):
            path.unlink()

    def deliver(self, raw: bytes, recipients: list[str], sender: str) -> None:
        """Hand a mail to Dovecot by LMTP."""
        with smtplib.LMTP("127.0.0.1", self.lmtp) as server:
            server.sendmail(sender, recipients, raw)

    def _write_config(self, *, idle: bool) -> Path:
        user = _run_user()
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        for path in (self.folder, *self.folder.rglob("*")):
            if user != getpass.getuser():
                shutil.chown(path, user, _group(user))
        assert DOVECOT is not None
        version = subprocess.check_output([DOVECOT, "--version"], text=True).split()[0]
        old = version.startswith("2.3")
        text = _COMMON + _TO_2_3 if old else _FROM_2_4 + _COMMON
        if not idle:
            text += "protocol imap {{\n  imap_capability = IMAP4rev1 UIDPLUS\n}}\n"
        path = self.folder / "dovecot.conf"
        path.write_text(
            text.format(
                folder=self.folder,
                user=user,
                group=_group(user),
                imap=self.imap,
                imaps=self.imaps,
                lmtp=self.lmtp,
                certificate=self.certificate,
                key=self.key,
                password=PASSWORD,
                version=version,
            )
        )
        return path


class _Border:
    """The site's SMTP server."""

    def __init__(self, servers: MailServers) -> None:
        self._servers = servers

    async def handle_RCPT(
        self, _server: object, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        if address in self._servers.refused:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: Session, envelope: Envelope) -> str:
        content = bytes(envelope.content or b"")
        sender = envelope.mail_from or ""
        kept = [one for one in envelope.rcpt_tos if one not in self._servers.undelivered]
        if kept:
            self._servers.deliver(_with_results(content, sender), kept, sender)
        for address in set(envelope.rcpt_tos) - set(kept):
            self._servers.deliver(_report(content, sender, address), [sender], "")
        return "250 OK"


def _authenticate(
    _server: object, _session: object, _envelope: object, _way: str, data: Any
) -> AuthResult:
    return AuthResult(success=data.password == PASSWORD.encode())


def _with_results(content: bytes, sender: str) -> bytes:
    """Return a mail as the border passes it on."""
    head, separator, body = content.partition(b"\r\n\r\n")
    own = f"authentication-results: {BORDER}".encode()
    lines = [one for one in head.split(b"\r\n") if not one.lower().startswith(own)]
    domain = sender.rpartition("@")[2]
    is_proved = domain in PROVED and FORGED.encode() not in head.lower()
    result = f"spf={'pass' if is_proved else 'fail'} smtp.mailfrom={sender}"
    added = f"Authentication-Results: {BORDER};\r\n {result}\r\nReceived: from x by {BORDER}; now"
    return added.encode() + b"\r\n" + b"\r\n".join(lines) + separator + body


def _report(content: bytes, sender: str, recipient: str) -> bytes:
    """Return the report that a mail could not be delivered (RFC 3464)."""
    head = content.partition(b"\r\n\r\n")[0]
    return "\r\n".join(
        [
            f"From: MAILER-DAEMON@{BORDER}",
            f"To: {sender}",
            "Subject: Undelivered Mail Returned to Sender",
            f"Message-ID: <report-{abs(hash(head))}@{BORDER}>",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
            "",
            "--b",
            "Content-Type: text/plain",
            "",
            "It could not be delivered.",
            "--b",
            "Content-Type: message/delivery-status",
            "",
            f"Reporting-MTA: dns; {BORDER}",
            "",
            f"Final-Recipient: rfc822; {recipient}",
            "Action: failed",
            "Status: 5.2.2",
            "",
            "--b",
            "Content-Type: text/rfc822-headers",
            "",
            head.decode("utf-8", "replace"),
            "",
            "--b--",
            "",
        ]
    ).encode()


def _envelope_sender(raw: bytes) -> str:
    found = message_from_bytes(raw)["from"] or ""
    return str(found).rpartition("<")[2].strip("<> ")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.settimeout(5)
            return connection.recv(4) == b"* OK"
    except OSError:
        return False


def _run_user() -> str:
    """Return the account of Dovecot: it does not serve mailboxes of root."""
    return "nobody" if os.geteuid() == 0 else getpass.getuser()


def _group(user: str) -> str:
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
