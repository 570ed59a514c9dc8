"""A decision as a person gives it: one shape for the page, commands, the API and buttons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from guardia.board.approvals.policy import DecisionVerdict, RejectionChoice
from guardia.board.passkeys.signing import PasskeySignature
from guardia.errors import Invalid, Missing
from guardia.i18n import t
from guardia.text import MAX_REASON, trim


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """A verdict on exactly one plan, with what follows it."""

    verdict: DecisionVerdict
    plan_hash: str
    """Hash of the plan that the person saw."""
    reason: str = ""
    then: RejectionChoice | None = None
    """What follows a rejection; `None`: as `policy.default_choice` says."""
    run_after: datetime | None = None
    """The earliest start, for `RejectionChoice.LATER` and for an approval."""
    message: str = ""
    """The words for the requester; empty: a neutral sentence."""
    signature: PasskeySignature | None = None
    """The signature of the person's device over this verdict on this plan."""

    def normalized(self, now: datetime) -> DecisionRequest:
        """Return it with trimmed texts; a later start becomes an approval with that condition.

        Raises `Missing` if a later start has no time, `Invalid` if that time has passed.
        """
        verdict, then, run_after = self.verdict, self.then, self.run_after
        if verdict is DecisionVerdict.REJECT and then is RejectionChoice.LATER:
            if run_after is None:
                raise Missing(what=t("board.choice.run_after"))
            verdict = DecisionVerdict.APPROVE
        if verdict is not DecisionVerdict.APPROVE:
            run_after = None
        elif run_after is not None and run_after <= now:
            raise Invalid(what=t("board.choice.run_after"), why=t("board.choice.past"))
        if verdict is not DecisionVerdict.REJECT:
            then = RejectionChoice.LATER if run_after else None
        return replace(
            self,
            verdict=verdict,
            then=then,
            run_after=run_after.astimezone(UTC) if run_after else None,
            reason=trim(self.reason, MAX_REASON),
            message=trim(self.message, MAX_REASON),
        )
