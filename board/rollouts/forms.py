"""Parse the options of a rollout as people enter them."""

from __future__ import annotations

import re

from pydantic import ValidationError

from guardia.board.rollouts.policy import Options
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
