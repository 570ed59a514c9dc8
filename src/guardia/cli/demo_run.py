"""One run of a demo story: the fault, the request, the decisions, the outcome."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from rich.console import Console

from guardia.board.approvals import decisions, pending
from guardia.board.assignment import reports
from guardia.board.cmdb import view as cmdb
from guardia.board.core.issue_ref import find_issue_ref
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.integrity import verification
from guardia.board.issues import view
from guardia.board.runs import view as runs
from guardia.cli.demo_environment import DEMO_REQUESTER, DemoEnvironment
from guardia.cli.demo_stories import DemoOutcome, DemoStory
from guardia.cli.timeline import AuditTimeline
from guardia.db import events
from guardia.errors import Invalid, Misconfigured, OperatorError, UserError
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_ROOM = "기재부-운영"
_SENDER = "장하늘"
_POLL_SECONDS = 1.0
"""Seconds without an event until the board is checked anyway."""
_GRACE_SECONDS = 20.0
"""Seconds to wait for the auditor and the messages after the issue has ended."""


class DemoRun:
    """Follows one issue from the request to the auditor's verdict."""

    def __init__(
        self,
        environment: DemoEnvironment,
        story: DemoStory,
        console: Console,
        *,
        yes: bool,
        timeout: float | None,
    ) -> None:
        self._environment = environment
        self._story = story
        self._console = console
        self._yes = yes
        self._deadline = time.monotonic() + timeout if timeout else None
        self._sr_id = 0
        self._prompted: set[str] = set()
        self._separated = False

    def begin(self) -> None:
        """Cause the fault on the server and post the request that a person would post."""
        story = self._story
        if story.fault:
            self._environment.fleet.fault(story.fault)
            self._print("fault", server=story.server, fault=t(f"lab.fault.{story.fault}"))
        self._sr_id = self._post_message(story.text)
        self._print("posted", room=_ROOM, text=story.text)

    def _post_message(self, text: str) -> int:
        """Post what the messenger's webhook would send; return the issue's number."""
        body = {
            "token": self._environment.messenger_token,
            "post_id": f"demo{time.time_ns()}",
            "channel_name": _ROOM,
            "user_id": DEMO_REQUESTER[2],
            "user_name": _SENDER,
            "text": text,
        }
        try:
            answer = httpx.post(
                f"{self._environment.address}/intake/mattermost", json=body, timeout=10
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            self._environment.require_alive()
            raise Misconfigured(what="/intake/mattermost", why=type(error).__name__) from error
        reply = str(answer.json()["text"])
        found = find_issue_ref(reply)
        if found is None:
            raise Misconfigured(what="/intake/mattermost", why=reply)
        return found

    def follow(self) -> None:
        """Print audit entries until the issue has ended and the auditor has verified the log."""
        timeline = AuditTimeline(self._environment.board, self._console, sr_id=self._sr_id)
        ended: float | None = None
        with timeline.spinner(t("cli.demo.working")) as status:
            for _ in self._events():
                kinds = timeline.print_new()
                state = view.issue(self._environment.board, self._sr_id).state
                if state is State.PENDING_APPROVAL:
                    status.update(t("cli.demo.waiting_short"))
                    self._prompt_decisions()
                else:
                    status.update(t("cli.demo.working"))
                if state is State.MANUAL and self._separate():
                    continue
                if state not in OPEN_STATES or state is State.MANUAL:
                    ended = ended or time.monotonic()
                    seen = {"verified", "broken"} & set(kinds)
                    if seen or time.monotonic() - ended > _GRACE_SECONDS:
                        return

    def _separate(self) -> bool:
        """Undo a link to the request of an interrupted run; return whether there was one."""
        if self._separated:
            return False
        self._separated = True
        lead = self._person("team_lead")
        try:
            reports.unlink(self._environment.board, lead, self._sr_id)
        except UserError:
            return False
        return True

    def outcome(self, seconds: float) -> DemoOutcome:
        """Check the result from outside."""
        story, board = self._story, self._environment.board
        state = view.issue(board, self._sr_id).state
        verdict = verification.verify_log(board, full=True).verdict
        steps = runs.steps_of(board, self._sr_id)
        checks = {
            "status": state == story.expected_state,
            "oracle": self._environment.fleet.is_healthy(story.oracle),
            "reply": self._environment.fleet.was_notified(self._sr_id, "message"),
        }
        if story.alert:
            checks["alert"] = self._environment.fleet.was_notified(self._sr_id, "alert")
        return DemoOutcome(
            story.name,
            self._sr_id,
            state.value,
            seconds,
            steps,
            verdict.size,
            verdict.intact,
            checks,
        )

    def _events(self) -> Iterator[None]:
        for _ in events.listen(self._environment.dsn, timeout=_POLL_SECONDS):
            self._environment.require_alive()
            if self._deadline and time.monotonic() > self._deadline:
                why = t("cli.demo.timeout", seconds=240, log=self._environment.log)
                raise Invalid(what=self._story.name, why=why)
            yield

    def _prompt_decisions(self) -> None:
        for waiting in pending.pending_plans(self._environment.board, self._sr_id):
            key = f"{waiting.plan_hash}:{waiting.role}"
            if key in self._prompted:
                continue
            self._prompted.add(key)
            person = self._person(waiting.role)
            role = t(f"org.role.{waiting.role}")
            self._print("waiting", role=role)
            if not self._yes:
                url = f"{self._environment.address}/issues/{self._sr_id}"
                command = f"{_command_prefix()} approve {self._sr_id} --as {person.id}"
                self._print("decide", url=url, command=command)
                continue
            decisions.decide(
                self._environment.board,
                person,
                waiting.task_id,
                approve=True,
                plan_hash=waiting.plan_hash,
            )

    def _person(self, role: str) -> PersonInfo:
        people = cmdb.directory(self._environment.board).people
        found = next((p for p in people if p.role == role), None)
        if found is None:
            raise OperatorError
        return found

    def _print(self, key: str, **words: object) -> None:
        # Not wrapped, because people copy addresses and commands from here.
        self._console.print(t(f"cli.demo.{key}", **words), markup=False, soft_wrap=True)


def _command_prefix() -> str:
    """Return how the reader can call this program on the same data."""
    path, here = Path(sys.argv[0]).absolute(), Path.cwd()
    if path.name == "__main__.py":
        words = [sys.executable, "-m", "guardia"]
    else:
        words = [str(path.relative_to(here) if path.is_relative_to(here) else path)]
    home = os.environ.get("GUARDIA_HOME")
    return (f"GUARDIA_HOME={shlex.quote(home)} " if home else "") + shlex.join(words)
