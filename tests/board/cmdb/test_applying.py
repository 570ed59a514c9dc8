"""Many changes of the CMDB at once, their history, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from board_env import BoardEnv
from cmdb_env import BY, apply, csv_set, enter, keys
from sqlalchemy import func, select

from guardia.board.audit.model import AuditEntry
from guardia.board.cmdb import applying, cmdb_yaml, entries, view
from guardia.board.cmdb.applying import ChangeSet
from guardia.board.cmdb.changes import Draft
from guardia.board.cmdb.imports.decoding import ImportFile
from guardia.board.cmdb.yaml_file import read_change_set
from guardia.errors import Invalid, NotFound, Stale
from guardia.org import registry
from guardia.org.directory import Facts
from guardia.org.model import Server

HEAD = "서버,기관,기관명,종류,주소,포트,접속 계정,별칭\n"
ROWS = HEAD + (
    "MOE-WEB-01,MOE,교육부,웹,10.1.0.5,22,svc,교육부 홈페이지; 교육부 웹\n"
    "MOE-DB-01,MOE,교육부,DB,10.1.0.6,2222,svc,\n"
)


def audit_entries(env: BoardEnv) -> list[AuditEntry]:
    """Return the audit entries of changes of the CMDB."""
    with env.board.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind == "cmdb_changed")
        return list(session.scalars(query.order_by(AuditEntry.seq)))


def test_an_import_creates_institutions_and_servers_once(env: BoardEnv) -> None:
    with env.board.database.reading() as session:
        before = registry.directory_revision(session)
    assert apply(env, csv_set(ROWS)) == (1, {"added": 3, "changed": 0, "removed": 0})
    found = view.server(env.board, "MOE-DB-01")
    assert (found.institution, found.kind, found.address, found.port) == (
        "MOE",
        "DB",
        "10.1.0.6",
        2222,
    )
    assert view.server(env.board, "MOE-WEB-01").aliases == ("교육부 홈페이지", "교육부 웹")
    with env.board.database.reading() as session:
        assert registry.directory_revision(session) != before
    assert apply(env, csv_set(ROWS))[0] is None, "the same file again changes nothing"
    (entry,) = audit_entries(env)
    assert entry.detail["counts"] == {"institution.added": 1, "server.added": 2}
    assert entry.detail["sha256"] == csv_set(ROWS).sha256


def test_a_bad_line_stops_everything_unless_it_is_skipped(env: BoardEnv) -> None:
    bad = ROWS + "MOE-X-01,MOE,교육부,DB,10.1.0.7,99999,svc,\n"
    with pytest.raises(Invalid, match=r"4번째 줄: 포트.*65535"):
        apply(env, csv_set(bad))
    with pytest.raises(NotFound):
        view.server(env.board, "MOE-DB-01")
    assert apply(env, csv_set(bad), skip_bad=True)[1]["added"] == 3


def test_a_preview_writes_nothing(env: BoardEnv) -> None:
    found = applying.preview(env.board, csv_set(ROWS))
    assert (found.count("added"), found.unchanged, found.bad) == (3, 0, 0)
    with pytest.raises(NotFound):
        view.server(env.board, "MOE-DB-01")


def test_a_column_that_is_missing_keeps_its_values(env: BoardEnv) -> None:
    apply(env, csv_set(ROWS))
    apply(env, csv_set("서버,주소\nMOE-DB-01,10.9.9.9\n"))
    found = view.server(env.board, "MOE-DB-01")
    assert (found.address, found.port, found.account) == ("10.9.9.9", 2222, "svc")


def test_facts_and_blocks_survive_an_import(env: BoardEnv) -> None:
    apply(env, csv_set(ROWS))
    with env.board.database.transaction() as session:
        row = session.get_one(Server, "MOE-DB-01")
        row.facts, row.blocked = Facts(os="debian").model_dump(exclude_defaults=True), "키 변경"
    apply(env, csv_set("서버,주소\nMOE-DB-01,10.9.9.9\n"))
    found = view.server(env.board, "MOE-DB-01")
    assert (found.facts.os, found.blocked, found.address) == ("debian", "키 변경", "10.9.9.9")


def test_a_confirmed_key_is_not_replaced_by_a_file(env: BoardEnv) -> None:
    first, second = keys(2)
    apply(env, csv_set(f"서버,호스트 키\nMOF-DB-01,{first}\n"))
    other = f"서버,호스트 키\nMOF-DB-01,{second}\n"
    with pytest.raises(Invalid, match="확인된 호스트 키"):
        apply(env, csv_set(other))
    apply(env, csv_set("서버,호스트 키,주소\nMOF-DB-01,,10.0.0.1\n"))
    assert view.server(env.board, "MOF-DB-01").host_key == first, "an empty cell keeps it"
    apply(env, csv_set(other, replaces_keys=True))
    assert view.server(env.board, "MOF-DB-01").host_key == second


@pytest.mark.slow
def test_references_must_exist(env: BoardEnv) -> None:
    owner = {"person": "eng", "server": "NONE-01", "skill": "DB", "proficiency": 3}
    lost = ChangeSet([Draft("owner", 7, owner)], source="owners.csv")
    with pytest.raises(Invalid, match=r"7번째 줄: 등록되지 않은 서버입니다: NONE-01"):
        apply(env, lost)
    stranger = owner | {"person": "nobody-here", "server": "MOF-DB-01"}
    with pytest.raises(Invalid, match="등록되지 않은 계정"):
        apply(env, ChangeSet([Draft("owner", 7, stranger)], source="owners.csv"))


def test_bad_lines_are_told_in_the_order_of_the_file(env: BoardEnv) -> None:
    unknown = {"person": "eng", "server": "NONE-01", "skill": "DB", "proficiency": 3}
    unskilled = unknown | {"server": "MOF-DB-01", "proficiency": 9}
    other = unknown | {"server": "NONE-02"}
    drafts = [Draft("owner", 2, unknown), Draft("owner", 3, unskilled), Draft("owner", 4, other)]

    found = applying.preview(env.board, ChangeSet(drafts, source="owners.csv"))

    assert [bad.line for bad in found.problems] == [2, 3, 4]


def test_a_bad_choice_is_answered_in_words(env: BoardEnv) -> None:
    drafts = [Draft("owner", 2, {"person": "eng", "duty": "가끔", "proficiency": "3"})]
    found = applying.preview(env.board, ChangeSet(drafts, source="시험"))
    assert sorted(map(str, found.problems)) == [
        "2번째 줄: 구분 값을 사용할 수 없습니다: 가끔. 다음 중에서 선택해 주세요: 정, 부",
        "2번째 줄: 기술 값이 없습니다. 값을 입력해 주세요",
    ]


def test_what_others_name_is_not_removed(env: BoardEnv) -> None:
    absent = frozenset({("server", "MOF-DB-01")})
    with pytest.raises(Invalid, match=r"사용하는 항목.*MOF-DB-01"):
        apply(env, ChangeSet([], source="x", absent=absent))
    env.create_parsed_task("MOF-WAS-01")
    busy = frozenset({("server", "MOF-WAS-01")})
    with pytest.raises(Invalid, match="끝나지 않은 작업"):
        apply(env, ChangeSet([], source="x", absent=busy))


# --- as code ----------------------------------------------------------------------------------


def text_of(env: BoardEnv) -> str:
    """Return the CMDB as YAML."""
    return cmdb_yaml.export(entries.all_entries(env.board))


def yaml_set(text: str) -> ChangeSet:
    """Return the changes of a YAML text."""
    return read_change_set(ImportFile("cmdb.yaml", text.encode()))


def test_an_export_applied_again_changes_nothing(env: BoardEnv) -> None:
    apply(env, csv_set(ROWS))
    found = applying.preview(env.board, yaml_set(text_of(env)))
    assert (found.changes, found.bad) == ([], 0) and found.unchanged == 7


def test_what_a_list_does_not_name_is_removed(env: BoardEnv) -> None:
    apply(env, csv_set(ROWS))
    text = text_of(env)
    i = text.index("- id: MOE-DB-01")
    cut = text[:i] + text[text.index("- id: MOE-WEB-01") :]
    number, counts = apply(env, yaml_set("# 주석은 무시합니다\n" + cut))
    assert (number, counts) == (2, {"added": 0, "changed": 0, "removed": 1})
    only = "servers:\n" + cut[cut.index("- id: MOE-WEB-01") : cut.index("owners:")]
    assert applying.preview(env.board, yaml_set(only)).count("removed") == 0
    assert "institution" not in yaml_set(only).complete, "a list that is not there stays"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("servers:\n  - id: A\n    institution: MOF\n    kind: DB\n    prt: 22\n", "2번째 줄.*prt"),
        ("servers: {a: 1}\n", "1번째 줄: 목록이 아닙니다"),
        ("things: []\n", "1번째 줄: 알 수 없는 목록"),
        ("servers:\n  - [a]\n", "2번째 줄: 항목이 아닙니다"),
        ("servers:\n  - id: A\n    id: B\n", "3번째 줄: 같은 항목"),
        ("servers:\n  - &x {id: A, aliases: [a]}\n  - *x\n", "별칭"),
        ("servers:\n  - id: !!python/object:os.system A\n", "2번째 줄.*태그"),
        ("servers: [\n", "번째 줄: YAML로 읽을 수 없습니다"),
        ("- a\n", "CMDB 파일이 아닙니다"),
        (
            "servers:\n  - {id: A, institution: MOF, kind: DB}\n"
            "  - {id: A, institution: MOF, kind: WAS}\n",
            "3번째 줄: 2번째 줄과 중복",
        ),
    ],
)
@pytest.mark.slow
def test_a_bad_file_changes_nothing(env: BoardEnv, text: str, problem: str) -> None:
    before = text_of(env)
    with pytest.raises(Invalid, match=problem):
        apply(env, yaml_set(text))
    assert text_of(env) == before


def test_a_plan_that_is_no_longer_true_is_not_applied(env: BoardEnv) -> None:
    from guardia.board.cmdb import revisions

    given = csv_set(ROWS)
    seen = revisions.digest(applying.preview(env.board, given).changes)
    apply(env, csv_set("서버,기관,종류\nMOE-DB-01,MOE,DB\n"))
    with pytest.raises(Stale):
        apply(env, given, expected=seen)


def test_the_history_leads_back(env: BoardEnv) -> None:
    start = text_of(env)
    apply(env, csv_set(ROWS))
    second = text_of(env)
    apply(env, csv_set("서버,주소,기관 별칭,기관명,기관\nMOE-DB-01,10.7.7.7,교육,교육부,MOE\n"))
    changed = entries.changes_of(env.board, 2)
    assert [str(c) for c in changed] == [
        "기관 변경: MOE (별칭: - → 교육)",
        "서버 변경: MOE-DB-01 (주소: 10.1.0.6 → 10.7.7.7)",
    ]
    of_server = entries.history(env.board, key="MOE-DB-01")
    assert [r.number for r in of_server] == [2, 1]
    number, _ = apply(env, entries.rollback_to(env.board, 1))
    assert (number, text_of(env)) == (3, second)
    apply(env, entries.rollback_to(env.board, 0))
    assert text_of(env) == start
    assert entries.history(env.board)[0].back_to == 0
    with pytest.raises(NotFound):
        entries.rollback_to(env.board, 99)


def test_single_edits_are_in_the_history(env: BoardEnv) -> None:
    """What `guardia server` changes is rolled back too."""
    from guardia.board.cmdb import institutions, servers
    from guardia.org.directory import Host, InstitutionInfo

    start = text_of(env)
    institutions.add(env.board, BY, InstitutionInfo(id="NEW", name="새 기관"))
    host = Host(
        server_id="NEW-01",
        institution="NEW",
        kind="DB",
        address="10.0.0.9",
        account="svc",
        credential="key",
        host_key=keys(1)[0],
    )
    servers.enrol(env.board, BY, host)
    servers.edit(env.board, BY, "NEW-01", {"port": 2222})
    owner = {"person": "eng", "server": "NEW-01", "skill": "DB", "proficiency": 3}
    enter(env, ("owner", owner), ("owner", {**owner, "skill": "OS"}))
    added = text_of(env)
    assert [c.verb for c in entries.changes_of(env.board, 3)] == ["changed"]
    servers.remove(env.board, BY, "NEW-01")
    institutions.edit(env.board, BY, "NEW", name="다른 이름")
    apply(env, entries.rollback_to(env.board, 4))
    assert text_of(env) == added
    apply(env, entries.rollback_to(env.board, 0))
    assert text_of(env) == start


def test_an_export_names_secrets_and_holds_none(env: BoardEnv, tmp_path: Path) -> None:
    apply(env, csv_set("서버,인증 정보,sudo 인증 정보\nMOF-DB-01,mof-key,mof-sudo\n"))
    text = text_of(env)
    assert "credential: mof-key" in text and "sudo_credential: mof-sudo" in text
    with pytest.raises(Invalid, match="사용할 수 없는 값"):
        apply(env, csv_set('서버,인증 정보\nMOF-DB-01,"-----BEGIN KEY-----"\n'))


def test_every_revision_counts_its_changes(env: BoardEnv) -> None:
    from guardia.board.cmdb.history_model import CmdbChange

    apply(env, csv_set(ROWS))
    with env.board.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(CmdbChange)) == 3
