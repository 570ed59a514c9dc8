"""Rules of a site bind agents and people: when a plan is filed, begun, and before each change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from board_env import LEAD, LEAD2, OFFICER, PM, TERMINATE, BoardEnv, open_env, plan
from page_env import recorded_statements
from policy_env import Clock
from rules_env import SENTENCE, add, begun, freeze_from, plan_hash, site_rule
from sqlalchemy import text

from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.control import manual_plans
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.core.planner import ActionDraft
from guardia.board.execution import commands, grants, rule_check, tasks, view
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.board.site_rules import changes
from guardia.board.site_rules.policy import History, RuleVersion, ServerChange, Setting
from guardia.errors import Forbidden, Invalid, Refused, RuleBroken, Stale

DO = PlanStep(0, "do")
TOOL = TERMINATE.tool
INVESTIGATE: dict[str, object] = {"kind": "investigate"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def env(seeded_template: str, database: object, clock: Clock) -> Iterator[BoardEnv]:
    """Open the board with a clock that the test moves; ten years after the seed."""
    with open_env(database.app) as found:  # type: ignore[attr-defined]
        clock.now += timedelta(days=3650)
        yield BoardEnv(replace(found.board, clock=clock), found.dsn)


def attempt(env: BoardEnv, claim: Claim) -> commands.Intent:
    """Record the intent of the plan's first action."""
    grant = grants.execution_grant(env.board, claim)
    return commands.record_intent(env.board, grant, TERMINATE, "psql …", DO)


def excepted(env: BoardEnv, task_id: int) -> str:
    """Ask for an exception and let both roles approve; return the hash of the plan."""
    bound = plan_hash(env, task_id)
    manual_plans.request_exception(env.board, LEAD, task_id, bound, "장애 지속")
    bound = plan_hash(env, task_id)
    decisions.decide(env.board, LEAD2, task_id, approve=True, plan_hash=bound)
    decisions.decide(env.board, OFFICER, task_id, approve=True, plan_hash=bound)
    return bound


@pytest.mark.slow
def test_an_agent_cannot_file_a_plan_that_a_rule_forbids(env: BoardEnv) -> None:
    add(env.board, "look-only", INVESTIGATE, scope={"server": "MOF-DB-01"})
    claim = env.create_parsed_task()
    with pytest.raises(RuleBroken, match=SENTENCE):
        tasks.file_plan(env.board, claim, plan())
    assert view.task(env.board, claim.task_id).state is State.PARSED


@pytest.mark.parametrize("place", [{"server": "MOF-WAS-01"}, {"server": "MOF-DB-01"}])
@pytest.mark.slow
def test_a_rule_that_begins_after_the_start_stops_the_next_action(
    env: BoardEnv, place: dict[str, str]
) -> None:
    claim = begun(env)
    add(env.board, "look-only", INVESTIGATE, scope=place)
    if place["server"] == "MOF-WAS-01":
        attempt(env, claim)
        return
    with pytest.raises(RuleBroken, match=SENTENCE):
        attempt(env, claim)
    assert commands.attempted_actions(env.board, claim, plan_hash(env, claim.task_id)) == {}


def test_a_freeze_that_begins_meanwhile_stops_the_action_until_it_ends(
    env: BoardEnv, clock: Clock
) -> None:
    add(env.board, "settlement", freeze_from(clock.now + timedelta(hours=1), 2, TOOL))
    claim = begun(env)
    clock.later(hours=1)
    with pytest.raises(RuleBroken, match="까지 금지"):
        attempt(env, claim)
    clock.later(hours=2)
    attempt(env, claim)


@pytest.mark.slow
def test_an_approved_plan_waits_for_the_end_of_a_freeze(env: BoardEnv, clock: Clock) -> None:
    claim, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    add(env.board, "settlement", freeze_from(clock.now, 2, TOOL))
    again = env.claim("db-agent")
    with pytest.raises(Stale):
        tasks.begin_execution(env.board, again)
    assert view.task(env.board, claim.task_id).is_waiting


def test_an_undo_is_never_subject_to_rules(env: BoardEnv) -> None:
    from autonomy_env import reversible_plan, run_action

    claim, given, bound = env.create_filed_plan(reversible_plan())
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    claim = env.claim("db-agent")
    tasks.begin_execution(env.board, claim)
    run_action(env, claim, given)
    add(env.board, "look-only", INVESTIGATE)
    grant = grants.execution_grant(env.board, claim)
    undo = given.actions[0].undo
    assert undo is not None
    commands.record_intent(env.board, grant, undo, "…", PlanStep(0, "undo"))


@pytest.mark.slow
def test_an_exception_takes_the_approvals_of_forced_and_lets_exactly_one_plan_through(
    env: BoardEnv,
) -> None:
    rule = add(env.board, "look-only", INVESTIGATE, scope={"institution": "MOF"})
    sr_id = env.create_issue()
    draft = ActionDraft.of(TERMINATE)
    task_id = manual_plans.force_action(env.board, LEAD, sr_id, "MOF-DB-01", draft, "긴급")
    # Forced alone is not enough: the plan does not name the rule.
    before = plan_hash(env, task_id)
    manual_plans.request_exception(env.board, LEAD, task_id, before, "장애 지속")
    bound = plan_hash(env, task_id)
    assert bound != before
    with pytest.raises(Forbidden):
        decisions.decide(env.board, LEAD, task_id, approve=True, plan_hash=bound)
    decisions.decide(env.board, LEAD2, task_id, approve=True, plan_hash=bound)
    assert view.task(env.board, task_id).state is State.PENDING_APPROVAL
    decisions.decide(env.board, OFFICER, task_id, approve=True, plan_hash=bound)
    found = view.plan_state(env.board, task_id).plan
    assert found is not None
    assert [(e.rule, e.hash, e.reason) for e in found.exceptions] == [
        ("look-only", rule.hash, "장애 지속")
    ]
    claim = _claim_of(env, task_id)
    tasks.begin_execution(env.board, claim)
    attempt(env, claim)
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        assert list(log.entries(session))[-1].detail["excepted"] == ["look-only"]
    # The next plan on the same server is stopped again.
    other = env.create_parsed_task()
    with pytest.raises(RuleBroken):
        tasks.file_plan(env.board, other, plan())


def _claim_of(env: BoardEnv, task_id: int) -> Claim:
    with env.board.database.reading() as session:
        agent = session.scalar(
            text("select agent_id from tb_ops_task where task_id = :id"), {"id": task_id}
        )
    claim = env.claim(str(agent))
    while claim.task_id != task_id:
        claim = env.claim(str(agent))
    return claim


@pytest.mark.slow
def test_a_maintenance_plan_with_an_exception_needs_both_chains(
    env: BoardEnv, clock: Clock
) -> None:
    add(env.board, "settlement", freeze_from(clock.now, 2, TOOL))
    claim, _, _ = env.create_filed_plan()
    bound = excepted(env, claim.task_id)
    again = env.claim("db-agent")
    tasks.begin_execution(env.board, again)
    attempt(env, again)
    assert commands.attempted_actions(env.board, again, bound) == {(0, "do"): "INTENT"}


@pytest.mark.slow
def test_an_exception_ends_with_the_rule_that_it_was_given_for(env: BoardEnv, clock: Clock) -> None:
    begins = clock.now
    add(env.board, "settlement", freeze_from(begins, 2, TOOL))
    claim, _, _ = env.create_filed_plan()
    excepted(env, claim.task_id)
    stricter = site_rule("settlement", freeze_from(begins, 2))
    changes.edit_rule(env.board, LEAD, stricter, "모든 조치", 1)
    again = env.claim("db-agent")
    with pytest.raises((RuleBroken, Stale)):
        tasks.begin_execution(env.board, again)


def test_what_no_rule_forbids_takes_no_exception(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    with pytest.raises(Invalid):
        manual_plans.request_exception(env.board, LEAD, claim.task_id, bound, "장애")
    with pytest.raises(Stale):
        manual_plans.request_exception(env.board, LEAD, claim.task_id, "0" * 64, "장애")
    with pytest.raises(Refused):
        tasks.file_plan(
            env.board,
            env.create_parsed_task(),
            plan().model_copy(
                update={
                    "exceptions": (
                        {"rule": "a", "version": 1, "hash": "", "sentence": "", "why": ""},
                    )
                }
            ),
        )


def test_people_are_bound_too(env: BoardEnv) -> None:
    add(env.board, "look-only", INVESTIGATE)
    sr_id = env.create_issue()
    draft = ActionDraft.of(TERMINATE)
    task_id = manual_plans.force_action(env.board, LEAD, sr_id, "MOF-DB-01", draft, "긴급")
    bound = plan_hash(env, task_id)
    for person in (LEAD2, OFFICER):
        decisions.decide(env.board, person, task_id, approve=True, plan_hash=bound)
    with pytest.raises(RuleBroken, match=SENTENCE):
        tasks.begin_execution(env.board, _claim_of(env, task_id))


@pytest.mark.slow
def test_an_order_wants_the_other_server_to_be_completed_first(env: BoardEnv) -> None:
    terms = {"kind": "order", "after": "MOF-DB-01", "within_hours": 24}
    add(env.board, "second-first", terms, scope={"server": "MOF-WAS-01"})
    other = plan().model_copy(update={"server": "MOF-WAS-01"})
    first = env.create_parsed_task("MOF-WAS-01")
    with pytest.raises(RuleBroken, match="MOF-DB-01에서 같은 조치"):
        tasks.file_plan(env.board, first, other)
    tasks.hand_over(env.board, first, "순서")
    claim = begun(env)
    intent = attempt(env, claim)
    commands.record_result(env.board, intent, CommandResult(True, {}, "", 3))
    # Done, but not yet verified to its end.
    assert rule_check.schedule_of(env.board, first.task_id, other).start is None
    tasks.complete(env.board, claim, "끝")
    assert rule_check.schedule_of(env.board, first.task_id, other).start is not None


@pytest.mark.slow
def test_a_limit_delays_the_next_change(env: BoardEnv, clock: Clock) -> None:
    add(env.board, "once", {"kind": "limit", "at_most": 1, "within_hours": 3})
    claim = begun(env)
    intent = attempt(env, claim)
    commands.record_result(env.board, intent, CommandResult(True, {}, "", 3))
    tasks.complete(env.board, claim, "끝")
    with pytest.raises(Stale):
        begun(env)
    clock.later(hours=4)


@pytest.mark.slow
def test_a_read_that_comes_first_is_named_and_then_suffices(env: BoardEnv) -> None:
    terms = {
        "kind": "first",
        "read": "database.locks",
        "args": {"service": "budgetdb"},
        "expect": "waiting == `0`",
        "within_hours": 1,
    }
    add(env.board, "look-first", terms)
    claim = begun(env)
    with pytest.raises(RuleBroken):
        attempt(env, claim)
    found = view.plan_state(env.board, claim.task_id).plan
    assert found is not None
    (call,) = rule_check.required_reads(env.board, claim.task_id, found, 0)
    grant = grants.grant_reads(env.board, claim)
    for waiting, permitted in ((2, False), (0, True)):
        intent = commands.record_intent(env.board, grant, call, "psql …")
        result = CommandResult(True, {"waiting": waiting}, "", 3)
        commands.record_result(env.board, intent, result)
        assert (rule_check.required_reads(env.board, claim.task_id, found, 0) == []) is permitted
    attempt(env, claim)


@pytest.mark.slow
def test_a_rule_that_cannot_be_read_forbids(env: BoardEnv) -> None:
    add(env.board, "look-only", INVESTIGATE, scope={"server": "MOF-WAS-01"})
    with env.board.database.transaction() as session:
        session.execute(
            text('update tb_site_rule set scope = \'*\', body = \'{"terms": {"kind": "new"}}\'')
        )
    with pytest.raises(RuleBroken, match="해석할 수 없어"):
        tasks.file_plan(env.board, env.create_parsed_task(), plan())


@pytest.mark.slow
def test_loosening_takes_a_second_person_and_tightening_none(env: BoardEnv) -> None:
    add(env.board, "once", {"kind": "limit", "at_most": 2, "within_hours": 3})
    stricter = site_rule("once", {"kind": "limit", "at_most": 1, "within_hours": 3})
    assert changes.edit_rule(env.board, LEAD, stricter, "강화", 1) == "ACTIVE"
    looser = site_rule("once", {"kind": "limit", "at_most": 5, "within_hours": 3})
    assert changes.edit_rule(env.board, LEAD, looser, "완화", 2) == "PROPOSED"
    with pytest.raises(Forbidden):
        changes.decide_proposal(env.board, LEAD, "once", 3, approve=True)
    with pytest.raises(Forbidden):
        changes.decide_proposal(env.board, PM, "once", 3, approve=True)
    assert changes.decide_proposal(env.board, LEAD2, "once", 3, approve=True) == "ACTIVE"
    assert changes.remove_rule(env.board, LEAD2, "once", "폐지", 3) == "PROPOSED"
    with pytest.raises(Stale):
        changes.decide_proposal(env.board, LEAD, "once", 3, approve=True)
    assert changes.decide_proposal(env.board, LEAD, "once", 4, approve=True) == "REMOVED"
    with env.board.database.reading() as session:
        kinds = [e.kind for e in log.entries(session) if e.kind.startswith("rule_")]
    assert kinds == [
        "rule_added",
        "rule_changed",
        "rule_proposed",
        "rule_changed",
        "rule_proposed",
        "rule_removed",
    ]


@pytest.mark.parametrize(
    ("terms", "scope"),
    [
        ({"kind": "investigate", "actions": ["service.nosuch"]}, {}),
        ({"kind": "investigate"}, {"server": "NO-SUCH"}),
        ({"kind": "investigate"}, {"institution": "NO-SUCH"}),
        ({"kind": "investigate"}, {"server": "MOF-DB-01", "service": "nosuch"}),
        ({"kind": "order", "after": "NO-SUCH"}, {}),
        ({"kind": "first", "read": TOOL}, {}),
    ],
)
def test_a_rule_names_only_what_exists(
    env: BoardEnv, terms: dict[str, object], scope: dict[str, str]
) -> None:
    with pytest.raises(Invalid):
        add(env.board, "wrong", terms, scope=scope)


@pytest.mark.slow
def test_ten_thousand_rules_elsewhere_are_neither_read_nor_felt(env: BoardEnv) -> None:
    add(env.board, "look-only", INVESTIGATE, scope={"server": "MOF-WAS-01"})
    with env.board.database.transaction() as session:
        session.execute(
            text(
                "insert into tb_site_rule (name, version, scope, body, sentence, hash, state,"
                " author, reason, created_at) select 'r' || n, 1, 'server:OTHER-' || n, body,"
                " sentence, hash, state, author, reason, created_at from tb_site_rule,"
                " generate_series(1, 10000) n"
            )
        )
        session.execute(text("analyze tb_site_rule"))
    claim = begun(env)
    add(env.board, "never", {"kind": "never", "actions": ["service.restart"]})
    with recorded_statements(env.board) as sent:
        attempt(env, claim)
    assert [one.rows for one in sent if "tb_site_rule" in one] == [1]


def test_a_link_that_was_found_is_shown_before_anyone_approves() -> None:
    rule = site_rule("audit", {"kind": "never", "paths": ["/data/audit"]})
    version = RuleVersion("audit", 1, SENTENCE, rule.hash, rule)
    change = ServerChange("A", "MOF", "config.set", {}, paths=("/app/conf",))
    at = datetime(2026, 11, 20, 3, tzinfo=UTC)
    states = []
    for lead in ("/data/audit/app", "/app/conf"):
        real = {"/app/conf": lead, "/data/audit": "/data/audit"}
        setting = Setting(at, UTC, History(real_paths=real))
        loaded = rule_check._Loaded((), [version], [change, change], setting)
        states += [status.state for status in loaded.at(at).rules]
    assert states == ["broken", "kept"]
