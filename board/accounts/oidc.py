"""Sign in with an OpenID provider: authorization code with PKCE, state, nonce and issuer checks.

Extra `oidc`. The provider proves who someone is; accounts are made here, and rights are given here.
"""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from guardia.errors import Misconfigured, SignInRefused, SignInUnavailable
from guardia.i18n import t
from guardia.org.access import ROLES
from guardia.settings import Settings

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384")
"""Signatures that count: never `none`, and none made with the client's secret."""
_SECONDS = 10.0
_METADATA_SECONDS = 600.0
_LEEWAY = 60


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """What a browser keeps between leaving and coming back."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class ProvenPerson:
    """Who the provider says has signed in."""

    account: str
    role: str
    """The role that the settings map to; empty: none."""


def is_configured(settings: Settings) -> bool:
    """Return whether people may sign in with a provider."""
    return bool(settings.oidc_issuer)


def require_valid(settings: Settings) -> None:
    """Raise `Misconfigured` for settings that cannot work."""
    if not settings.oidc_issuer:
        return
    if settings.public_origin is None or not settings.oidc_client_id:
        raise Misconfigured(what="GUARDIA_OIDC_ISSUER", why=t("accounts.oidc.origin"))
    parts = urlsplit(settings.oidc_issuer)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise Misconfigured(what="GUARDIA_OIDC_ISSUER", why=t("accounts.oidc.https"))
    if any(role not in ROLES for _, role in role_map(settings)):
        raise Misconfigured(what="GUARDIA_OIDC_ROLES", why=", ".join(ROLES))
    try:
        import authlib  # noqa: F401
        import joserfc  # noqa: F401
    except ImportError as error:
        raise Misconfigured(what="GUARDIA_OIDC_ISSUER", why=t("accounts.oidc.extra")) from error


def role_map(settings: Settings) -> list[tuple[str, str]]:
    """Return the configured groups with their roles."""
    pairs = (part.rpartition("=") for part in settings.oidc_roles.split(",") if part.strip())
    return [(group.strip(), role.strip()) for group, _, role in pairs]


class OpenIdClient:
    """Talks to the provider; one for each board process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metadata: dict[str, Any] = {}
        self._read_at = float("-inf")
        self._keys: Any = None

    @property
    def redirect_uri(self) -> str:
        """Address to which the provider sends people back."""
        return f"{self._settings.public_origin}/login/oidc/callback"

    def begin(self) -> SignInRequest:
        """Return where to send a browser, and what it must bring back."""
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        with self._oauth() as client:
            url, state = client.create_authorization_url(
                self._read_metadata()["authorization_endpoint"], nonce=nonce, code_verifier=verifier
            )
        return SignInRequest(url, state, nonce, verifier)

    def finish(self, sent: SignInRequest, answer: dict[str, str]) -> ProvenPerson:
        """Return who has signed in. Raises `SignInRefused` for any doubt."""
        if not hmac.compare_digest(sent.state.encode(), answer.get("state", "").encode()):
            raise SignInRefused(why=t("accounts.oidc.state"))
        metadata = self._read_metadata()
        # RFC 9207: an answer of another provider that was mixed in.
        if answer.get("iss", metadata["issuer"]) != metadata["issuer"]:
            raise SignInRefused(why=t("accounts.oidc.issuer"))
        if "error" in answer or not answer.get("code"):
            raise SignInRefused(why=t("accounts.oidc.denied"))
        token = self._fetch_token(metadata, answer["code"], sent.verifier)
        return self._person(self._verified_claims(token, sent.nonce))

    def _fetch_token(self, metadata: dict[str, Any], code: str, verifier: str) -> str:
        from authlib.common.errors import AuthlibBaseError

        try:
            with self._oauth() as client:
                found = client.fetch_token(
                    metadata["token_endpoint"],
                    code=code,
                    code_verifier=verifier,
                    grant_type="authorization_code",
                )
            return str(found["id_token"])
        except (AuthlibBaseError, KeyError, ValueError) as error:
            raise SignInRefused(why=t("accounts.oidc.token")) from error
        except Exception as error:
            raise SignInUnavailable(why=type(error).__name__) from error

    def _verified_claims(self, token: str, nonce: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            claims = self._decode(token).claims
            jwt.JWTClaimsRegistry(
                leeway=_LEEWAY,
                iss={"essential": True, "value": self._read_metadata()["issuer"]},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise SignInRefused(why=t("accounts.oidc.token")) from error
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else list(audience or ())
        own = self._settings.oidc_client_id
        if own not in audiences or claims.get("azp", own) != own:
            raise SignInRefused(why=t("accounts.oidc.token"))
        return dict(claims)

    def _decode(self, token: str) -> Any:
        """Verify the signature; after a rotation the provider's keys are read once more."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            return jwt.decode(token, self._read_keys(), algorithms=list(_ALGORITHMS))
        except (JoseError, ValueError):
            return jwt.decode(token, self._read_keys(again=True), algorithms=list(_ALGORITHMS))

    def _person(self, claims: dict[str, Any]) -> ProvenPerson:
        name = self._settings.oidc_claim
        value = claims.get(name)
        unverified = name == "email" and claims.get("email_verified") is not True
        if not isinstance(value, str) or not value or unverified:
            raise SignInRefused(why=t("accounts.oidc.claim", claim=name))
        groups = claims.get(self._settings.oidc_roles_claim, ())
        groups = [groups] if isinstance(groups, str) else groups
        held = {str(group) for group in groups if isinstance(group, str)}
        role = next((r for group, r in role_map(self._settings) if group in held), "")
        return ProvenPerson(value, role)

    def _oauth(self) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client

        secret = self._settings.oidc_client_secret
        return OAuth2Client(
            self._settings.oidc_client_id,
            secret.get_secret_value() if secret else None,
            redirect_uri=self.redirect_uri,
            scope=self._settings.oidc_scope,
            code_challenge_method="S256",
            timeout=_SECONDS,
            **({"verify": str(self._settings.oidc_ca)} if self._settings.oidc_ca else {}),
        )

    def _read_metadata(self) -> dict[str, Any]:
        now = time.monotonic()
        if now - self._read_at > _METADATA_SECONDS:
            issuer = str(self._settings.oidc_issuer)
            found = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise SignInRefused(why=t("accounts.oidc.issuer"))
            self._metadata, self._read_at, self._keys = found, now, None
        return self._metadata

    def _read_keys(self, *, again: bool = False) -> Any:
        from joserfc.jwk import KeySet

        if self._keys is None or again:
            self._keys = KeySet.import_key_set(self._get(self._read_metadata()["jwks_uri"]))
        return self._keys

    def _get(self, url: str) -> Any:
        verify = str(self._settings.oidc_ca) if self._settings.oidc_ca else True
        try:
            answer = httpx.get(url, timeout=_SECONDS, verify=verify)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SignInUnavailable(why=type(error).__name__) from error
