"""Parse the options of a rollout as people enter them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from guardia.board.rollouts.policy import Options
from guardia.board.rollouts.requests import HealthTerms, Request
from guardia.errors import Invalid
from guardia.i18n import t

_TIER = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")


def parse_options(
    tiers: str,
    batch: str,
    on_failure: str,
    on_interruption: str,
    *,
    canary: bool,
    pause_after_canary: bool,
) -> Options:
    """Return the options. Raises `Invalid` with the field that is wrong."""
    names = tuple(name.strip().upper() for name in tiers.split(",") if name.strip())
    if not names or not all(map(_TIER.fullmatch, names)) or len(set(names)) != len(names):
        raise Invalid(what=t("rollouts.tiers"), why=t("rollouts.wrong_tiers"))
    if not re.fullmatch(r"[1-9][0-9]{0,3}", batch.strip()):
        raise Invalid(what=t("rollouts.batch_size"), why=t("rollouts.wrong_size"))
    given = {
        "tiers": names,
        "batch": int(batch),
        "canary": canary,
        "pause_after_canary": pause_after_canary,
        "on_failure": on_failure,
        "on_interruption": on_interruption,
    }
    try:
        return Options.model_validate(given)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise Invalid(what=field, why=error.errors()[0]["msg"]) from None


def parse_artifact(text: str) -> int:
    """Return the number of an artefact. Raises `Invalid`."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        raise Invalid(what=t("rollouts.artifact"), why=t("rollouts.choose_artifact"))
    return int(text)


def parse_request(targets: Sequence[str], texts: Mapping[str, str]) -> Request:
    """Return the servers and details of a rollout. Raises `Invalid` with what is wrong.

    Each of `targets` is `SERVER=service`, as the checkboxes of the page say it.
    """
    pairs = [tuple(target.split("=", 1)) for target in targets if "=" in target]
    health = {name: texts[name].strip() for name in _HEALTH if texts.get(name, "").strip()}
    details = {name: texts.get(name, "").strip() for name in ("file", "package")}
    try:
        terms = HealthTerms.model_validate(health)
        return Request.model_validate({"targets": pairs, "health": terms, **details})
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][-1])
        raise Invalid(what=t(f"rollouts.{field}"), why=t("rollouts.wrong_value")) from None


_HEALTH = ("seconds", "failed_percent", "milliseconds", "body")
