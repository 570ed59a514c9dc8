"""A board whose MAINTENANCE plans need passkeys, and people with devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from board_env import LEAD, BoardEnv, plan
from soft_authenticator import SoftAuthenticator

from guardia.board.approvals import decisions
from guardia.board.approvals.decision_request import DecisionRequest
from guardia.board.approvals.policy import DecisionVerdict
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.execution import tasks
from guardia.board.organization import chart as organization_chart
from guardia.board.passkeys import registration, signing
from guardia.board.passkeys.relying_party import RelyingParty
from guardia.board.passkeys.signing import DecisionSubject
from guardia.org import chart
from guardia.org.directory import PersonInfo

RP = RelyingParty("https://board.example.test", "board.example.test")


@dataclass
class SignedApproval:
    """A plan that waits for the lead's passkey."""

    env: BoardEnv
    claim: Claim
    plan_hash: str

    def subject(self, verdict: str = "approve") -> DecisionSubject:
        """Return what the lead decides."""
        return DecisionSubject(self.claim.sr_id, self.claim.task_id, self.plan_hash, verdict)

    def options(self, person: PersonInfo = LEAD, rp: RelyingParty = RP) -> dict[str, object]:
        """Return the options for a signature of the lead's approval."""
        return signing.begin(self.env.board, rp, person, self.subject())

    def accept(
        self, answer: dict[str, object], person: PersonInfo = LEAD
    ) -> signing.PasskeySignature:
        """Verify an answer of a device."""
        return signing.accept(self.env.board, RP, person, self.subject(), answer)

    def approve(self, answer: dict[str, object], person: PersonInfo = LEAD) -> State:
        """Approve the plan with an answer of a device."""
        return self.submit(self.accept(answer, person), person)

    def submit(
        self, signature: signing.PasskeySignature | None, person: PersonInfo = LEAD
    ) -> State:
        """Submit an approval."""
        request = DecisionRequest(DecisionVerdict.APPROVE, self.plan_hash, signature=signature)
        return decisions.submit_decision(self.env.board, person, self.claim.task_id, request)


def demand_passkeys(env: BoardEnv, *, demanded: bool = True) -> None:
    """Apply the shipped chart, in which MAINTENANCE demands passkeys or does not."""
    text = chart.shipped_chart_path().read_text("utf-8")
    if demanded:
        text = text.replace("MAINTENANCE: {", "MAINTENANCE: {signature: passkey, ", 1)
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))


def register(env: BoardEnv, person: PersonInfo = LEAD, **more: object) -> SoftAuthenticator:
    """Register a new device of a person and return it."""
    device = SoftAuthenticator(RP.origin, RP.rp_id, **more)  # type: ignore[arg-type]
    options = registration.begin(env.board, RP, person)
    registration.finish(env.board, RP, person, "사무실 PC", device.create(options))
    return device


def waiting(env: BoardEnv) -> SignedApproval:
    """Return a new plan that waits for the lead."""
    claim, filed, _ = env.create_filed_plan(plan())
    return SignedApproval(env, claim, tasks.plan_hash(claim.task_id, filed))


def expired(seconds: int = 1) -> RelyingParty:
    """Return a relying party whose challenges are expired when they are issued."""
    return RelyingParty(RP.origin, RP.rp_id, -timedelta(seconds=seconds))


@contextmanager
def lead_with_device(env: BoardEnv) -> Iterator[tuple[SignedApproval, SoftAuthenticator]]:
    """Yield a plan that waits for the lead, and the lead's device."""
    demand_passkeys(env)
    device = register(env)
    yield waiting(env), device
