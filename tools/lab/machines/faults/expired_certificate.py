"""Expired certificate: the web server still uses it; its successor is in the account's home."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ssl

from cryptography import x509

from guardia.tools.lab.machines.certificates import create_certificate
from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.machines.spec import ACCOUNT
from guardia.tools.lab.oracle import OracleResult

_RENEWED = f"/home/{ACCOUNT}/renewed"


class ExpiredCertificate(MachineFault):
    """The site's certificate ended three days ago."""

    name = "expired-certificate"
    needs = "web"

    async def inject(self) -> None:
        """Install a certificate that has ended, and leave a valid one for the renewal."""
        await self._write(_RENEWED, ends_in_days=365)
        await self.target.must(f"chown -R {ACCOUNT} {_RENEWED}")
        await self._write(self.spec.role.make.tls, ends_in_days=-3)
        await self.target.must(self.spec.control("web", "restart"))

    async def heal(self) -> None:
        """Install a valid certificate."""
        await self._write(self.spec.role.make.tls, ends_in_days=120)
        await self.target.must(self.spec.control("web", "restart"))

    async def probe(self) -> OracleResult:
        """Look at the certificate that clients get."""
        try:
            address = (self.spec.address, self.spec.ports["https"])
            text = await asyncio.to_thread(ssl.get_server_certificate, address, timeout=3.0)
        except OSError as error:
            return OracleResult(False, {"error": str(error)})
        end = x509.load_pem_x509_certificate(text.encode()).not_valid_after_utc
        return OracleResult(end > datetime.datetime.now(datetime.UTC), {"ends": end.isoformat()})

    async def _write(self, folder: str, ends_in_days: int) -> None:
        certificate, key = create_certificate(self.spec.site, ends_in_days)
        lines = [f"umask 077; mkdir -p {folder}"]
        for name, content in (("site.crt", certificate), ("site.key", key)):
            text = base64.b64encode(content).decode("ascii")
            lines.append(f"echo {text} | base64 -d > {folder}/{name}")
        await self.target.must("\n".join(lines))
