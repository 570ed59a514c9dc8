"""Parse the options of a rollout as people enter them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from guardia.board.rollouts.policy import Options
from guardia.board.rollouts.requests import HealthTerms, Request
from guardia.errors import Invalid
from guardia.i18n import t

OPTION_NAMES = ("tiers", "batch", "on_failure", "on_interruption", "canary", "pause_after_canary")
FILTER_NAMES = ("text", "service", "kind", "institution")
_TIER = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class EnteredRollout:
    """What a form has sent, as it was entered."""

    texts: Mapping[str, str]
    targets: tuple[str, ...] = ()
    """The ticked servers, each `SERVER=service`."""

    @property
    def filter(self) -> dict[str, str]:
        """The words by which servers were looked for."""
        return {name: self.texts.get(name, "") for name in FILTER_NAMES}

    def options(self) -> Options:
        """Return the options. Raises `Invalid` with the field that is wrong."""
        tiers, batch, failure, interruption, canary, pause = (
            self.texts.get(name, "") for name in OPTION_NAMES
        )
        return parse_options(
            tiers,
            batch,
            failure,
            interruption,
            canary=bool(canary),
            pause_after_canary=bool(pause),
        )


def shown_options(options: Options) -> dict[str, str]:
    """Return options as the texts of a form."""
    return {
        "tiers": ", ".join(options.tiers),
        "batch": str(options.batch),
        "on_failure": options.on_failure,
        "on_interruption": options.on_interruption,
        "canary": "yes" if options.canary else "",
        "pause_after_canary": "yes" if options.pause_after_canary else "",
    }


def first_shown() -> EnteredRollout:
    """Return the form that plans a rollout before anything was entered."""
    health = {name: str(value) for name, value in HealthTerms().model_dump().items()}
    return EnteredRollout({**shown_options(Options()), **health})


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
        raise Invalid(what=t("rollouts.tiers"), why=t("rollouts.wrong_tiers"), field="tiers")
    if not re.fullmatch(r"[1-9][0-9]{0,3}", batch.strip()):
        raise Invalid(what=t("rollouts.batch_size"), why=t("rollouts.wrong_size"), field="batch")
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
        raise Invalid(
            what=t(f"rollouts.{field}"), why=t("rollouts.wrong_value"), field=field
        ) from None


def parse_artifact(text: str) -> int:
    """Return the number of an artefact. Raises `Invalid`."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        why = t("rollouts.choose_artifact")
        raise Invalid(what=t("rollouts.artifact"), why=why, field="artifact")
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
        why = t("rollouts.wrong_value")
        raise Invalid(what=t(f"rollouts.{field}"), why=why, field=field) from None


_HEALTH = ("seconds", "failed_percent", "milliseconds", "body")
