"""Institutions."""

from __future__ import annotations

import pytest
from board_env import ENGINEER, BoardEnv

from guardia.board.cmdb import institutions, view
from guardia.board.core.actors import Actor
from guardia.errors import Forbidden, Invalid, NotFound
from guardia.org.directory import InstitutionInfo

OPERATOR = Actor.operator("cli")
MOE = InstitutionInfo(id="MOE", name=" 교육부 ", aliases=("교육", "교육", " "))


def test_an_institution_is_added_changed_and_removed(env: BoardEnv) -> None:
    institutions.add(env.board, OPERATOR, MOE)
    assert institutions.edit(env.board, OPERATOR, "MOE", name="교육과학부")
    assert not institutions.edit(env.board, OPERATOR, "MOE", name="교육과학부")
    found = next(i for i in view.directory(env.board).institutions if i.id == "MOE")
    assert found == InstitutionInfo(id="MOE", name="교육과학부", aliases=("교육",))
    institutions.remove(env.board, OPERATOR, "MOE")
    with pytest.raises(NotFound):
        institutions.remove(env.board, OPERATOR, "MOE")


@pytest.mark.parametrize(
    "value", [("mof", "중복"), ("a b", "공백"), ("MOE", " "), ("MOE", "가" * 65)]
)
def test_an_invalid_institution_is_refused(env: BoardEnv, value: tuple[str, str]) -> None:
    with pytest.raises(Invalid):
        institutions.add(env.board, OPERATOR, InstitutionInfo(id=value[0], name=value[1]))


def test_an_institution_in_use_stays(env: BoardEnv) -> None:
    with pytest.raises(Invalid, match="서버 2대"):
        institutions.remove(env.board, OPERATOR, "MOF")
    with pytest.raises(Forbidden):
        institutions.add(env.board, ENGINEER, MOE)
