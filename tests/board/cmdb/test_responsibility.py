"""Who is responsible, in which order, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from board_env import BoardEnv
from cmdb_env import BY, enter
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.approvals import absences
from guardia.board.approvals.absences import AbsenceRequest
from guardia.board.cmdb import responsibility_view
from guardia.board.cmdb.responsibility import (
    Ownership,
    ResponsibilityFacts,
    who_is_responsible,
)
from guardia.org.approver_assignments import approvers, engineer_coverage
from guardia.org.directory import PersonInfo

NIGHT = datetime(2026, 11, 30, 13, 0, tzinfo=UTC)  # Monday 22:00 in Seoul
DAY = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)


def person(name: str, *skills: str) -> PersonInfo:
    return PersonInfo(id=name, name=name, title="대리", role="engineer", skills=skills)


def facts(name: str, *owns: Ownership, skills: tuple[str, ...] = (), **more: Any) -> Any:
    return ResponsibilityFacts(person(name, *skills), tuple(owns), **more)


def order(*known: Any, skill: str = "DB") -> list[str]:
    return [one.person.id for one in who_is_responsible(known, skill)]


def test_the_primary_comes_before_the_deputy() -> None:
    deputy = facts("a", Ownership("DB", 3, "deputy"))
    assert order(deputy, facts("b", Ownership("DB", 3))) == ["b", "a"]
    assert order(facts("c", skills=("WAS",)), facts("d")) == []


def test_the_field_counts_more_than_the_server() -> None:
    other = facts("a", Ownership("WAS", 4))
    assert order(other, facts("b", skills=("DB",))) == ["b", "a"]
    assert order(other, facts("b", Ownership("*", 1)), skill="WAS") == ["a", "b"]


def test_an_absent_person_is_replaced_by_their_substitute() -> None:
    away = facts("a", Ownership("DB", 5), skills=("DB",), absent=True, substitute="b")
    (one,) = who_is_responsible([away, facts("b")], "DB")
    assert one.person.id == "b" and "a 대리 부재로 대리" in one.reasons
    both = facts("b", absent=True)
    assert order(away, both) == []


_OWNERS = st.builds(
    Ownership,
    st.sampled_from(["DB", "WAS", "*"]),
    st.integers(1, 5),
    st.sampled_from(["primary", "deputy"]),
)


@given(st.lists(_OWNERS, max_size=3), st.integers(0, 9), st.integers(1, 5))
def test_more_work_never_helps_and_more_skill_never_hurts(
    owns: list[Ownership], load: int, more: int
) -> None:
    def points(load: int, *extra: Ownership) -> int:
        found = who_is_responsible([facts("a", *owns, *extra, skills=("DB",), load=load)], "DB")
        return found[0].score

    assert points(load + more) < points(load)
    assert points(load, Ownership("DB", 5)) >= points(load, Ownership("DB", 1))


# --- from the tables --------------------------------------------------------------------------


def responsible(env: BoardEnv, at: datetime = DAY, server: str = "MOF-WAS-01") -> list[str]:
    """Return who is responsible for the server, in order."""
    found = responsibility_view.responsible(env.board, server, "WAS", at)
    return [one.person.id for one in found]


def test_institutions_groups_and_teams_own_servers(env: BoardEnv) -> None:
    assert responsible(env) == []
    mastery = {"skill": "WAS", "proficiency": 3}
    enter(env, ("owner", {"person": "lead", "institution": "MOF", **mastery}))
    assert responsible(env) == ["lead"]
    group = {"id": "MOF-WAS-01", "groups": ["prod"]}
    team = {"id": "T", "name": "WAS팀", "members": ["eng", "lead2"]}
    enter(
        env,
        ("server", group),
        ("team", team),
        ("owner", {"team": "T", "group": "prod", "skill": "WAS", "proficiency": 5}),
    )
    assert responsible(env) == ["eng", "lead2", "lead"]
    found = responsibility_view.engineers(env.board, "MOF-WAS-01", "WAS", DAY)
    assert [(c.person.id, c.duty, c.proficiency) for c in found] == [("eng", "primary", 5)]
    with env.board.database.reading() as session:
        engineer = person("eng")
        assert engineer_coverage(session, engineer).is_responsible_for("MOF", "MOF-WAS-01")
        holders = approvers(session, (), ["engineer"], "MOF", DAY, "MOF-WAS-01")
        assert [p.id for p in holders] == ["eng"]


def test_duty_comes_first_and_only_in_its_hours(env: BoardEnv) -> None:
    owner = {"person": "lead", "server": "MOF-WAS-01", "skill": "WAS", "proficiency": 5}
    night = {"id": "N", "field": "*", "person": "eng", "begins": "18:00", "ends": "09:00"}
    enter(env, ("owner", owner), ("duty", night))
    assert responsible(env, DAY) == ["lead"]
    assert responsible(env, NIGHT) == ["eng", "lead"]
    enter(
        env,
        ("duty_exception", {"duty": "N", "first_day": "2026-11-30", "person": "lead2"}),
        ("duty", {**night, "id": "M", "institution": "MOF", "field": "DB"}),
    )
    assert responsible(env, NIGHT) == ["lead2", "lead"], "another field's duty does not count"
    assert responsible(env, NIGHT + timedelta(days=1)) == ["eng", "lead"]


def test_absence_uses_the_delegations(env: BoardEnv) -> None:
    owner = {"person": "eng", "server": "MOF-WAS-01", "skill": "WAS", "proficiency": 5}
    enter(env, ("owner", owner))
    day = DAY.date()
    away = AbsenceRequest("eng", day, day, reason="연차")
    future = DAY.replace(year=2126)
    away = AbsenceRequest("eng", future.date(), future.date(), reason="연차")
    assert absences.set_absences(env.board, BY, [away]) == 1
    assert absences.set_absences(env.board, BY, [away]) == 0, "the same again changes nothing"
    assert responsible(env, DAY) == ["eng"] and responsible(env, future) == []
    covered = AbsenceRequest("eng", future.date(), future.date(), "lead")
    absences.set_absences(env.board, BY, [covered])
    assert responsible(env, future) == ["lead"]
    (first, second) = responsibility_view.absences(env.board)
    assert (first.substitute, second.substitute) == ("", "lead")
    for one in (first, second):
        absences.end_absence(env.board, BY, one.number)
    assert responsible(env, future) == ["eng"]


def test_an_absence_without_a_substitute_stops_notices(env: BoardEnv) -> None:
    from guardia.org.delegation import people_who_may_act
    from guardia.org.model import Person

    now = env.board.clock()
    today = now.date()
    request = AbsenceRequest("lead", today - timedelta(days=1), today + timedelta(days=2))
    absences.set_absences(env.board, BY, [request])
    with env.board.database.reading() as session:
        rows = [session.get_one(Person, p).as_info() for p in ("lead", "lead2")]
        assert [p.id for p, _ in people_who_may_act(session, rows, now)] == ["lead2"]


def test_the_weights_of_the_chart_decide() -> None:
    from guardia.org.assignment import FitWeights

    known = [facts("a", Ownership("DB", 5), load=3), facts("b", skills=("DB",))]
    assert order(*known) == ["b", "a"]
    lighter = FitWeights(load=0, primary=20)
    assert [r.person.id for r in who_is_responsible(known, "DB", lighter)] == ["a", "b"]
