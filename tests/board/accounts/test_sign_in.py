from __future__ import annotations

from board_env import BoardEnv
from page_env import PASSWORD, enrol_page_users

from guardia.board.accounts import sign_in
from guardia.org import access


def test_a_session_lasts_from_sign_in_to_sign_out(env: BoardEnv) -> None:
    enrol_page_users(env)

    def who(token: str) -> str | None:
        with env.board.database.reading() as session:
            found = access.person_of_session(session, token, env.board.clock())
            return found.id if found else None

    first, second = (sign_in.sign_in(env.board, "lead", PASSWORD) for _ in range(2))
    assert first and second and first != second
    assert (who(first), who(second)) == ("lead", "lead")
    sign_in.sign_out(env.board, first)
    assert (who(first), who(second)) == (None, "lead")
    assert sign_in.sign_in(env.board, "lead", "틀림") is None
    assert sign_in.sign_in(env.board, "nobody", PASSWORD) is None
