"""Directives on real servers: running work is ended, counted, undone and verified."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from full_stack import FullStack, open_full_stack, seed_full_stack
from inflight_env import (
    SlowTransport,
    claim_tasks,
    count_sleeping_commands,
    interrupt_listeners,
    reads_in_flight,
)
from sqlalchemy import select
from ssh_probe import SshProbe
from waiting import PATIENCE, wait_until

from guardia.board.approvals import pending
from guardia.board.control import directives, manual_plans
from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.control.directives import DirectiveRequest
from guardia.board.control.manual_plans import PlanRevision
from guardia.board.core import kill_switch
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Task
from guardia.board.core.planner import ActionDraft
from guardia.board.core.run_model import Run
from guardia.board.execution import view
from guardia.board.organization import chart as organization_chart
from guardia.errors import Interrupted, Refused
from guardia.heartbeat.beat import beat
from guardia.org import chart, chart_edit
from guardia.tools.lab.running_fleet import RunningFleet

pytestmark = pytest.mark.slow


@pytest.fixture
def seeded(database: Any, practice: RunningFleet, keys: Path) -> Any:
    """Return a seeded database, so that a test can open the stack with a transport of its own."""
    seed_full_stack(database.owner, database.app, practice, keys)
    return database


def task_of(stack: FullStack, sr_id: int) -> int:
    return int(stack.entries(sr_id)[0].task_id or 0)


def commands(fleet: RunningFleet) -> list[Any]:
    return [command for server in fleet.status()["servers"] for command in server["commands"]]


def test_the_kill_switch_ends_fifty_commands_on_two_workers_and_counts_none_left(
    seeded: Any, fleet: RunningFleet, keys: Path
) -> None:
    with (
        open_full_stack(seeded.app, fleet, keys, SlowTransport) as first,
        open_full_stack(seeded.app, fleet, keys, SlowTransport) as second,
        interrupt_listeners(first, second),
    ):
        claims = claim_tasks(first, 50)
        with (
            reads_in_flight(first, claims[:25]) as here,
            reads_in_flight(second, claims[25:]) as there,
        ):
            assert wait_until(lambda: count_sleeping_commands() >= 50)
            done = control_kill_switch.kill(first.board, first.person("engineer"), "시험")
            assert wait_until(lambda: count_sleeping_commands() == 0)
            faults = [read.exception(timeout=PATIENCE) for read in here + there]
        assert done.stopped == 50
        # They sleep for an hour each: nothing but the switch has ended them.
        assert len(faults) == 50 and all(isinstance(fault, Interrupted) for fault in faults)
        assert wait_until(lambda: commands(fleet) == [])
        assert len(control_kill_switch.stopped_tasks(first.board, done.kill_id)) == 50
    with open_full_stack(seeded.app, fleet, keys) as restarted:
        sr_id = restarted.request("기재부 와스 1호기 상태 점검해 주세요")
        restarted.work()
        assert restarted.state(sr_id) is State.RECEIVED
        control_kill_switch.release(restarted.board, restarted.person("pm"), "시험 끝")
        restarted.work()
        assert restarted.state(sr_id) is not State.RECEIVED


@contextmanager
def at_work(stack: FullStack, agent: str) -> Iterator[None]:
    """Run an agent's beat that is in the middle of a slow command."""
    beating = threading.Thread(target=beat, args=(stack.board, lambda: stack.team, agent))
    beating.start()
    try:
        assert wait_until(lambda: count_sleeping_commands() > 0), stack.board
        yield
    finally:
        beating.join(PATIENCE)
        assert not beating.is_alive()


def slow_at(word: str) -> Any:
    return lambda transport: SlowTransport(transport, lambda command: word in command)


def approved(stack: FullStack, text: str) -> int:
    sr_id = stack.request(text)
    stack.work()
    stack.decide(sr_id)
    return sr_id


class SlowAfterChange(SlowTransport):
    """Slow once: at the first command after a change, which itself is real."""

    def __init__(self, transport: Any, change: str) -> None:
        super().__init__(transport, lambda _: self.steps == 1)
        self.change, self.steps = change, 0

    def run(self, host: Any, command: Any, **more: Any) -> Any:
        output = super().run(host, command, **more)
        if self.steps or self.change in command.render():
            self.steps += 1
        return output


def test_a_deployment_that_is_stopped_half_way_is_undone_and_verified(
    seeded: Any, fleet: RunningFleet, keys: Path
) -> None:
    with (
        open_full_stack(seeded.app, fleet, keys, lambda h: SlowAfterChange(h, "mv -fT")) as stack,
        interrupt_listeners(stack),
    ):
        sr_id = approved(stack, "기재부 와스 2호기에 3.1.1 버전 배포해 주세요")
        with at_work(stack, "was-agent"):
            control_kill_switch.kill(stack.board, stack.person("team_lead"), "잘못된 배포")
        stack.work()
        assert stack.state(sr_id) is State.FAILED_ROLLBACK
        assert stack.changes(sr_id) == ["deploy.activate", "deploy.activate"]
        assert fleet.is_healthy("failing-deploy")
        stopped = control_kill_switch.stopped_tasks(stack.board, 1)
        assert [(s.sr_id, s.outcome) for s in stopped] == [(sr_id, "RESTORED")]
        assert kill_switch.active_kill_switch(stack.board) is not None
        assert commands(fleet) == []


def test_firing_an_agent_during_a_repair_leaves_no_lock_and_repeats_nothing(
    seeded: Any, fleet: RunningFleet, keys: Path
) -> None:
    """The running command ends; the superior inherits the task and assigns it to the successor.

    The successor continues from the progress in the audit log.
    """
    successor = {
        "id": "was-two", "title": "후임", "duty": "operate", "reports_to": "dispatcher",
        "skills": ["WAS", "DEPLOY"],
    }  # fmt: skip
    shipped = chart.shipped_chart_path().read_text("utf-8")
    with (
        open_full_stack(
            seeded.app, fleet, keys, lambda h: SlowAfterChange(h, "service.restart")
        ) as stack,
        interrupt_listeners(stack),
    ):
        assert not fleet.fault("hung-was").good
        sr_id = approved(
            stack, "기재부 와스 1호기 화면이 안 떠요. 포트는 열려 있는데 응답이 없습니다"
        )
        with at_work(stack, "was-agent"):
            replaced = chart_edit.hire(chart_edit.fire(shipped, "was-agent"), successor)
            organization_chart.apply_chart(stack.board, replaced, Actor.operator("test"))
            with stack.board.database.reading() as session:
                (task,) = session.scalars(select(Task).where(Task.sr_id == sr_id))
                assert (task.agent_id, task.run_id) == ("dispatcher", None)
                assert task.status == State.IN_PROGRESS
            assert wait_until(lambda: count_sleeping_commands() == 0)
        stack.work()
        with stack.board.database.reading() as session:
            assert session.scalars(select(Run).where(Run.ended_at.is_(None))).all() == []
        entries = stack.entries(sr_id)
        after = entries[[e.kind for e in entries].index("handed_on") :]
        late = [e.kind for e in after if e.actor == "agent:was-agent"]
        assert set(late) <= {"result_failed"}  # its command was ended
        assert stack.state(sr_id) is State.COMPLETED
        assert stack.changes(sr_id) == ["service.restart"]
        assert fleet.is_healthy("hung-was")
        assert commands(fleet) == []


def test_a_restart_that_is_aborted_is_interrupted_and_left_to_people(
    seeded: Any, fleet: RunningFleet, keys: Path
) -> None:
    with (
        open_full_stack(seeded.app, fleet, keys, slow_at("run_control restart")) as stack,
        interrupt_listeners(stack),
    ):
        assert not fleet.fault("hung-was").good
        sr_id = approved(
            stack, "기재부 와스 1호기 화면이 안 떠요. 포트는 열려 있는데 응답이 없습니다"
        )
        task_id = task_of(stack, sr_id)
        with at_work(stack, "was-agent"):
            directives.issue_directive(
                stack.board, stack.person("engineer"), task_id, DirectiveRequest("abort", "그만")
            )
            assert wait_until(lambda: count_sleeping_commands() == 0)
        stack.work()
        # The hour's sleep in its place failed, ended by the abort and by nothing else.
        # A restart cannot be undone, so people take over and are alerted.
        assert stack.state(sr_id) is State.MANUAL
        kinds = [e.kind for e in stack.entries(sr_id)]
        assert "ordered" in kinds and "not_restored" in kinds and "completed" not in kinds
        assert commands(fleet) == []


def test_a_take_over_ends_the_running_command_and_the_agent_writes_nothing_more(
    seeded: Any, fleet: RunningFleet, keys: Path
) -> None:
    with (
        open_full_stack(seeded.app, fleet, keys, slow_at("pg_")) as stack,
        interrupt_listeners(stack),
    ):
        sr_id = stack.request("기재부 운영DB 쿼리가 너무 느려요")
        beat(stack.board, lambda: stack.team, "dispatcher")
        with at_work(stack, "db-agent"):
            person = stack.person("engineer")
            directives.issue_directive(
                stack.board, person, task_of(stack, sr_id), DirectiveRequest("manual")
            )
        stack.work()
        assert stack.state(sr_id) is State.MANUAL
        after = [e.kind for e in stack.entries(sr_id)]
        assert after[after.index("ordered") :] == ["ordered", "result_failed"]


@pytest.mark.parametrize("has_room", [True, False])
def test_a_completed_cleanup_is_rolled_back_if_the_volume_can_hold_it(
    stack: FullStack, has_room: bool
) -> None:
    """Without room the volume would be full again, so the archive is kept and people are asked."""
    if not stack.fleet.inventory.volumes:
        pytest.skip("the kernel gives no small volume here")
    probe = SshProbe(stack.fleet)
    (service,) = stack.fleet.inventory.host("MOIS-WAS-01").services
    probe.run("MOIS-WAS-01", f"head -c 1000000 /dev/zero > {service.logs}/reserve")
    assert not stack.fleet.fault("full-volume").good
    sr_id = approved(stack, "행안부 와스 로그 볼륨이 꽉 차서 오류가 납니다")
    stack.work()
    assert stack.state(sr_id) is State.COMPLETED
    if has_room:
        probe.run("MOIS-WAS-01", f"rm {service.logs}/reserve")
    lead = stack.person("team_lead")
    directives.issue_directive(
        stack.board, lead, task_of(stack, sr_id), DirectiveRequest("rollback", "감사 자료 보존")
    )
    assert stack.state(sr_id) is State.COMPLETED
    stack.work()
    probe.run("MOIS-WAS-01", f"rm -f {service.logs}/reserve")
    assert stack.state(sr_id) is (State.ROLLED_BACK if has_room else State.MANUAL)
    assert stack.changes(sr_id) == [
        "service.set_log_level",
        "disk.archive",
        "disk.restore",
        "service.set_log_level",
    ]
    if has_room:
        undone = next(e for e in stack.entries(sr_id) if e.kind == "undone")
        assert (len(undone.detail["restored"]), undone.detail["lost"]) == (2, [])
    else:
        kept = "cd {}; ls ../archive/*.gz && df -k --output=pcent . | tail -n 1 | tr -dc 0-9"
        *copies, percent = probe.run("MOIS-WAS-01", kept.format(service.logs)).stdout.split()
        assert copies and int(percent) < 80


def test_an_irreversible_change_is_not_rolled_back(stack: FullStack) -> None:
    assert not stack.fleet.fault("lock-chain").good
    sr_id = approved(stack, "기재부 운영DB 쿼리가 너무 느려요")
    stack.work()
    assert stack.state(sr_id) is State.COMPLETED
    with pytest.raises(Refused, match="원복할 수 없는"):
        directives.issue_directive(
            stack.board,
            stack.person("team_lead"),
            task_of(stack, sr_id),
            DirectiveRequest("rollback", "취소"),
        )
    assert stack.state(sr_id) is State.COMPLETED


def test_a_task_returned_to_its_agent_is_diagnosed_planned_and_approved_again(
    stack: FullStack,
) -> None:
    assert not stack.fleet.fault("lock-chain").good
    sr_id = stack.request("기재부 운영DB 쿼리가 너무 느려요")
    stack.work()
    before = pending.pending_plans(stack.board, sr_id)[0]
    engineer = stack.person("engineer")
    directives.issue_directive(stack.board, engineer, before.task_id, DirectiveRequest("manual"))
    assert stack.state(sr_id) is State.MANUAL and not pending.pending_plans(stack.board, sr_id)
    directives.issue_directive(stack.board, engineer, before.task_id, DirectiveRequest("return"))
    stack.work()
    again = pending.pending_plans(stack.board, sr_id)[0]
    assert again.plan.actions and again.plan_hash != before.plan_hash
    stack.decide(sr_id)
    stack.work()
    assert stack.state(sr_id) is State.COMPLETED
    assert stack.fleet.is_healthy("lock-chain")


def test_a_forced_action_is_changed_while_running_reapproved_done_and_rolled_back(
    seeded: Any, fleet: RunningFleet, keys: Path
) -> None:
    armed = [True]

    def level(to: str) -> ActionDraft:
        args = {"service": "budget", "level": to, "previous": "INFO"}
        return ActionDraft("service.set_log_level", args)

    def transport(real: Any) -> SlowTransport:
        return SlowTransport(real, lambda command: armed[0] and '"$now" != "$previous"' in command)

    with (
        open_full_stack(seeded.app, fleet, keys, transport) as stack,
        interrupt_listeners(stack),
    ):
        sr_id = stack.request("기재부 와스 1호기 로그를 줄여 주세요")
        pm, lead = stack.person("pm"), stack.person("team_lead")
        task_id = manual_plans.force_action(
            stack.board, pm, sr_id, "MOF-WAS-01", level("ERROR"), "로그가 너무 많음"
        )
        agent = "was-agent"
        stack.decide(sr_id)
        with at_work(stack, agent):
            bound = view.plan_state(stack.board, task_id).plan_hash or ""
            revision = PlanRevision(bound, [level("WARN")], "경고는 남겨 주세요")
            manual_plans.change_plan(stack.board, pm, task_id, revision)
            assert wait_until(lambda: count_sleeping_commands() == 0)
        assert commands(fleet) == []
        armed[0] = False
        beat(stack.board, lambda: stack.team, agent)
        # Nothing runs before people have approved the changed plan.
        assert view.task(stack.board, task_id).state is State.PENDING_APPROVAL
        assert stack.changes(sr_id) == ["service.set_log_level"]
        stack.decide(sr_id)
        beat(stack.board, lambda: stack.team, agent)
        assert view.task(stack.board, task_id).state is State.COMPLETED
        done = [e.detail["args"]["level"] for e in stack.entries(sr_id) if was_change(e)]
        assert done == ["ERROR", "WARN"]
        directives.issue_directive(
            stack.board, lead, task_id, DirectiveRequest("rollback", "원래대로")
        )
        beat(stack.board, lambda: stack.team, agent)
        assert view.task(stack.board, task_id).state is State.ROLLED_BACK


def was_change(entry: Any) -> bool:
    return bool(entry.kind == "intent" and entry.detail["phase"] == "do")
