"""The stories of `guardia demo`, as data; none has code of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guardia.errors import Invalid
from guardia.i18n import t


@dataclass(frozen=True, slots=True)
class DemoStory:
    """A request in a room, the fault behind it, and its expected outcome."""

    name: str
    server: str
    fault: str | None
    """Caused on the server before the request; `None` if the request itself is the problem."""
    oracle: str
    """Check of the service itself, independent of the board."""
    text: str
    expected_state: str = "COMPLETED"
    alert: bool = False
    """Whether the alert webhook must fire."""


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """Outcome of a story, as checked from outside."""

    story: str
    issue: int
    status: str
    seconds: float
    steps: int
    audit_entries: int
    chain: bool
    checks: dict[str, bool]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return self.chain and all(self.checks.values())

    def as_json(self) -> dict[str, Any]:
        """Return the line that `--json` prints."""
        return {
            "ok": self.ok,
            "story": self.story,
            "issue": self.issue,
            "status": self.status,
            "seconds": round(self.seconds, 2),
            "steps": self.steps,
            "audit_entries": self.audit_entries,
            "chain": self.chain,
            "checks": self.checks,
        }


STORIES = {
    story.name: story
    for story in (
        DemoStory(
            "lock-chain",
            "MOF-DB-01",
            "lock-chain",
            "lock-chain",
            "기재부 운영DB 쿼리가 너무 느려요",
        ),
        DemoStory(
            "hung-was",
            "MOF-WAS-01",
            "hung-was",
            "hung-was",
            "기재부 와스 1호기 화면이 안 떠요. 포트는 열려 있는데 응답이 없습니다",
        ),
        DemoStory(
            "full-volume",
            "MOIS-WAS-01",
            "full-volume",
            "full-volume",
            "행안부 와스 로그 볼륨이 꽉 차서 오류가 납니다",
        ),
        DemoStory(
            "failing-deploy",
            "MOF-WAS-02",
            None,
            "failing-deploy",
            "기재부 와스 2호기에 3.1.1 버전 배포해 주세요",
            expected_state="FAILED_ROLLBACK",
            alert=True,
        ),
    )
}


def find_story(name: str) -> DemoStory:
    """Return the story of that name. Raises `Invalid` with the known names."""
    if name not in STORIES:
        raise Invalid(what=name, why=t("cli.demo.unknown_story", names=", ".join(STORIES)))
    return STORIES[name]
