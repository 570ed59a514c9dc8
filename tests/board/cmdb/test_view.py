"""Institutions and servers are read once per change of them."""

from __future__ import annotations

from board_env import BoardEnv
from page_env import recorded_statements
from sqlalchemy import delete, update

from guardia.board.cmdb import view
from guardia.org import registry
from guardia.org.directory import Directory, Host, InstitutionInfo, Login
from guardia.org.model import Institution, Person, Server

MORE = Directory(
    institutions=(InstitutionInfo(id="MOE", name="교육부"),),
    servers=(Host(server_id="MOE-DB-01", institution="MOE", kind="DB"),),
)


def names(env: BoardEnv) -> set[str]:
    return {host.server_id for host in view.systems(env.board).servers}


def test_the_same_object_is_returned_until_something_changes(env: BoardEnv) -> None:
    first = view.systems(env.board)
    with recorded_statements(env.board) as statements:
        assert view.systems(env.board) is first
    assert len(statements) == 1
    with env.board.database.transaction() as session:
        session.execute(update(Person).values(title="과장"))
    assert view.systems(env.board) is first, "people are no systems"


def test_every_kind_of_change_is_seen(env: BoardEnv) -> None:
    before = names(env)
    with env.board.database.transaction() as session:
        registry.enrol(session, MORE)
        session.flush()
        assert names(env) == before, "nothing is seen before it is committed"
    assert names(env) == before | {"MOE-DB-01"}
    with env.board.database.transaction() as session:
        session.execute(update(Institution).values(aliases=["새 이름"]))
    assert all(i.aliases == ("새 이름",) for i in view.systems(env.board).institutions)
    with env.board.database.transaction() as session:
        session.execute(update(Server).values(aliases=["별칭"]))
    assert all(h.aliases == ("별칭",) for h in view.systems(env.board).servers)
    with env.board.database.transaction() as session:
        session.execute(delete(Server).where(Server.server_id == "MOE-DB-01"))
    assert names(env) == before


def test_a_change_that_is_rolled_back_is_none(env: BoardEnv) -> None:
    first = view.systems(env.board)
    try:
        with env.board.database.transaction() as session:
            registry.enrol(session, MORE)
            session.flush()
            raise RuntimeError("rolled back")
    except RuntimeError:
        assert view.systems(env.board) is first


def by_way_of(server_id: str, *bastions: str) -> Host:
    return Host(server_id=server_id, institution="MOE", kind="DB", login=Login(bastions=bastions))


def test_a_server_comes_with_the_way_to_it(env: BoardEnv) -> None:
    names = Directory(
        institutions=MORE.institutions,
        servers=(
            by_way_of("S", "B-1", "B-2"),
            by_way_of("B-1", "GATE"),
            by_way_of("B-2"),
            by_way_of("GATE"),
            by_way_of("L-1", "L-2"),
            by_way_of("L-2", "L-1"),
            by_way_of("U", "nowhere"),
        ),
    )
    with env.board.database.transaction() as session:
        registry.enrol(session, names)

    def way(server_id: str) -> list[str]:
        return [hop.server_id for hop in view.server(env.board, server_id).hops]

    assert way("S") == ["GATE", "B-1", "B-2"]
    assert way("GATE") == way("U") == []
    assert way("L-1")[-3:] == ["L-2", "L-1", "L-2"], "the transport sees the loop"
    with recorded_statements(env.board) as statements:
        assert way("B-1") == ["GATE"]
    assert len(statements) == 2
    with recorded_statements(env.board) as statements:
        way("GATE")
    assert len(statements) == 1
