"""One story on the stage: the fault, the message, the decisions, the end."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from rich.console import Console
from sqlalchemy import func, select

from guardia.board.approvals import decisions, pending
from guardia.board.audit.model import AuditEntry
from guardia.board.core.lifecycle import OPEN, State
from guardia.board.core.model import Task
from guardia.board.core.run_model import Run
from guardia.board.execution import view
from guardia.board.integrity import verification
from guardia.cli.stage import ASKING, Stage
from guardia.cli.stories import Outcome, Story
from guardia.cli.timeline import Timeline
from guardia.db import events
from guardia.errors import Invalid, Misconfigured, OperatorError
from guardia.i18n import t
from guardia.org import registry
from guardia.org.directory import PersonName

_ROOM = "기재부-운영"
_SENDER = "장하늘"
_LOOK = 1.0
"""Seconds without an event until the board is looked at anyway."""
_AFTERWARDS = 20.0
"""Seconds for the auditor and the messages after the issue has ended."""


class Telling:
    """Follows one issue from the message to the auditor's verdict."""

    def __init__(
        self,
        stage: Stage,
        story: Story,
        console: Console,
        *,
        yes: bool,
        patience: float | None,
    ) -> None:
        self._stage = stage
        self._story = story
        self._console = console
        self._yes = yes
        self._deadline = time.monotonic() + patience if patience else None
        self._sr_id = 0
        self._announced: set[str] = set()

    def begin(self) -> None:
        """Put the fault on the server and post the message that a person would post."""
        story = self._story
        if story.fault:
            self._stage.fleet.fault(story.fault)
            self._say("fault", server=story.server, fault=t(f"lab.fault.{story.fault}"))
        self._sr_id = self._post(story.text)
        self._say("posted", room=_ROOM, text=story.text)

    def _post(self, text: str) -> int:
        """What the messenger's outgoing webhook would send; returns the issue's number."""
        body = {
            "token": self._stage.messenger_token,
            "post_id": f"demo{time.time_ns()}",
            "channel_name": _ROOM,
            "user_id": ASKING[2],
            "user_name": _SENDER,
            "text": text,
        }
        try:
            answer = httpx.post(f"{self._stage.address}/intake/mattermost", json=body, timeout=10)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            self._stage.require_alive()
            raise Misconfigured(what="/intake/mattermost", why=type(error).__name__) from error
        # The reply is in Korean, where a particle follows: SR-1로.
        return int(re.findall(r"SR-(\d+)", answer.json()["text"])[0])

    def follow(self) -> None:
        """Show the record grow until the issue has ended and the auditor has looked."""
        line = Timeline(self._stage.desk, self._console, AuditEntry.sr_id == self._sr_id)
        ended: float | None = None
        with line.waiting(t("cli.demo.working")) as status:
            for _ in self._events():
                kinds = line.show_new()
                state = view.issue(self._stage.desk, self._sr_id).state
                if state is State.PENDING_APPROVAL:
                    status.update(t("cli.demo.waiting_short"))
                    self._ask()
                else:
                    status.update(t("cli.demo.working"))
                if state not in OPEN or state is State.MANUAL:
                    ended = ended or time.monotonic()
                    seen = {"verified", "broken"} & set(kinds)
                    if seen or time.monotonic() - ended > _AFTERWARDS:
                        return

    def outcome(self, seconds: float) -> Outcome:
        """Look from outside at what is claimed."""
        story, desk = self._story, self._stage.desk
        state = view.issue(desk, self._sr_id).state
        verdict = verification.examine(desk, full=True).verdict
        with desk.database.reading() as session:
            steps = session.scalar(
                select(func.coalesce(func.sum(Run.steps), 0))
                .join(Task, Task.task_id == Run.task_id)
                .where(Task.sr_id == self._sr_id)
            )
        checks = {
            "status": state == story.ends,
            "oracle": self._stage.fleet.healthy(story.oracle),
            "reply": self._stage.fleet.told(self._sr_id, "message"),
        }
        if story.alert:
            checks["alert"] = self._stage.fleet.told(self._sr_id, "alert")
        return Outcome(
            story.name,
            self._sr_id,
            state.value,
            seconds,
            int(steps or 0),
            verdict.size,
            verdict.intact,
            checks,
        )

    def _events(self) -> Iterator[None]:
        for _ in events.listen(self._stage.dsn, timeout=_LOOK):
            self._stage.require_alive()
            if self._deadline and time.monotonic() > self._deadline:
                why = t("cli.demo.timeout", seconds=240, log=self._stage.log)
                raise Invalid(what=self._story.name, why=why)
            yield

    def _ask(self) -> None:
        for waiting in pending.waiting_plans(self._stage.desk, self._sr_id):
            key = f"{waiting.plan_hash}:{waiting.role}"
            if key in self._announced:
                continue
            self._announced.add(key)
            person = self._person(waiting.role)
            role = t(f"org.role.{waiting.role}")
            self._say("waiting", role=role)
            if not self._yes:
                url = f"{self._stage.address}/issues/{self._sr_id}"
                command = f"{_program()} approve {self._sr_id} --as {person.id}"
                self._say("decide", url=url, command=command)
                continue
            decisions.decide(
                self._stage.desk,
                person,
                waiting.task_id,
                approve=True,
                plan_hash=waiting.plan_hash,
            )

    def _person(self, role: str) -> PersonName:
        with self._stage.desk.database.reading() as session:
            people = registry.directory(session).people
        found = next((p for p in people if p.role == role), None)
        if found is None:
            raise OperatorError
        return found

    def _say(self, key: str, **words: object) -> None:
        # Not wrapped: people copy addresses and commands from here.
        self._console.print(t(f"cli.demo.{key}", **words), markup=False, soft_wrap=True)


def _program() -> str:
    """How the reader can call this very program, on the same data."""
    path, here = Path(sys.argv[0]).absolute(), Path.cwd()
    if path.name == "__main__.py":
        words = [sys.executable, "-m", "guardia"]
    else:
        words = [str(path.relative_to(here) if path.is_relative_to(here) else path)]
    home = os.environ.get("GUARDIA_HOME")
    return (f"GUARDIA_HOME={shlex.quote(home)} " if home else "") + shlex.join(words)
