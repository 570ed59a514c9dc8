"""Tables of servers as people keep them: encodings, headers, Excel, hostile content."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from guardia.board.cmdb.changes import MAX_PROBLEMS
from guardia.board.cmdb.imports import decoding
from guardia.board.cmdb.imports.columns import read_days, write_days
from guardia.board.cmdb.imports.decoding import ImportFile, read_file
from guardia.board.cmdb.imports.export import servers_as_csv
from guardia.board.cmdb.imports.layouts import DUTIES, LAYOUTS, OWNERS, SERVERS, read_services
from guardia.board.cmdb.imports.reading import ServerImport, read_servers
from guardia.board.cmdb.imports.tables import read_table
from guardia.board.cmdb.records import KINDS, ServerRecord
from guardia.errors import Invalid

TEXT = "서버,기관,기관명,종류,주소\nMOF-WEB-01,MOF,기획재정부,웹,10.0.0.1\n"


def values(content: bytes, name: str = "servers.csv") -> list[dict[str, object]]:
    """Return the values of the servers in a file."""
    found = read_servers(ImportFile(name, content), ServerImport())
    assert not found.problems, found.problems
    return [dict(draft.values) for draft in found.drafts if draft.kind == "server"]


def book(*rows: object) -> bytes:
    """Return an Excel file with these rows."""
    made, buffer = Workbook(), io.BytesIO()
    for row in rows:
        assert isinstance(row, tuple)
        made.active.append(row)  # type: ignore[union-attr]
    made.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_separators(encoding: str, separator: str, newline: str) -> None:
    text = TEXT.replace(",", separator).replace("\n", newline)
    (found,) = values(text.encode(encoding))
    assert found["id"] == "MOF-WEB-01" and found["kind"] == "WEB"
    assert found["address"] == "10.0.0.1"


@pytest.mark.parametrize(
    "head",
    [
        "server_id,inst_id,inst_name,kind,ip",
        "Hostname,Institution,Institution Name,Type,Host",
        "서버 ID,기관코드,기관명,유형,IP 주소",
        "서버명,기관 ID,기관 이름,구분,IP",
    ],
)
def test_headers_in_both_languages(head: str) -> None:
    (found,) = values(f"{head}\nMOF-WEB-01,MOF,기획재정부,web,10.0.0.1\n".encode())
    assert found == {
        "id": "MOF-WEB-01",
        "institution": "MOF",
        "kind": "WEB",
        "address": "10.0.0.1",
    }


def test_an_excel_file_reads_like_a_table() -> None:
    content = book(
        ("서버", "기관", "종류", "포트", "서비스"),
        ("MOF-DB-01", "MOF", "DB", 2222.0, "budgetdb=postgresql:5432; web=http"),
        (None, None, None, None, None),
        ("MOF-DB-02", "MOF", "DB", None, None),
    )
    first, second = values(content, "명부.xlsx")
    assert (first["port"], second["port"]) == ("2222", 22)
    assert first["services"] == [
        {"name": "budgetdb", "kind": "postgresql", "port": 5432},
        {"name": "web", "kind": "http"},
    ]


def test_dates_in_excel_are_days() -> None:
    content = book(
        ("당직", "분야", "담당자", "시작", "종료", "적용 시작일"),
        ("D", "DB", "eng", "18:00", "09:00", date(2026, 11, 30)),
    )
    found = read_table(ImportFile("d.xlsx", content), DUTIES)
    assert found.rows[0][1]["since"] == "2026-11-30"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("월-금", "mon tue wed thu fri"),
        ("평일", "mon tue wed thu fri"),
        ("토,일", "sat sun"),
        ("금~월", "mon fri sat sun"),
        ("Mon;wed", "mon wed"),
        ("매일", "mon tue wed thu fri sat sun"),
    ],
)
def test_days_of_the_week(text: str, days: str) -> None:
    assert read_days(text) == days.split()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "내용이 없습니다"),
        (b"\n\n", "내용이 없습니다"),
        (b"a,b\n1,2\n", "아는 열 이름이 없습니다"),
        ("서버,종류,서버 ID\na,b,c\n".encode(), "두 번 있습니다"),
        ("서버,비밀번호\nA,pw\n".encode(), "비밀번호가 들어 있을 수 있어"),
        (b"server,ssh_password\nA,pw\n", "비밀번호가 들어 있을 수 있어"),
        ("서버,기관\nA,\0\n".encode(), "2번째 줄에 텍스트가 아닌"),
        (b"server,kind\nA,\xff\xfe\xff\n", "2번째 줄을 UTF-8이나"),
        ('서버,기관\n"A,MOF\n'.encode(), "CSV로 읽을 수 없습니다"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "이전 형식"),
        (b"PK\x03\x04" + bytes(100), "Excel 파일로 읽을 수 없습니다"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_sentence(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "servers.csv"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=problem):
        read_servers(read_file(path), ServerImport())


def test_a_formula_is_a_bad_line_and_an_apostrophe_is_not() -> None:
    found = read_servers(
        ImportFile("a.csv", "서버,기관,종류,주소\n=1+1,MOF,DB,a\nB,MOF,DB,'-x\n".encode()),
        ServerImport(),
    )
    assert [bad.line for bad in found.problems] == [2]
    assert [d.values["address"] for d in found.drafts] == ["-x"]
    content = book(("서버", "기관", "종류", "주소"), ("A", "MOF", "DB", '=HYPERLINK("x")'))
    bad = read_servers(ImportFile("a.xlsx", content), ServerImport())
    assert bad.bad == 1 and "수식" in str(bad.problems[0])


def test_ten_thousand_bad_lines_are_counted_and_few_are_kept() -> None:
    lines = "서버,기관,종류,서비스\n" + "".join(f"S{n},MOF,DB,!\n" for n in range(10_000))
    found = read_servers(ImportFile("a.csv", lines.encode()), ServerImport())
    assert (found.bad, len(found.problems)) == (10_000, MAX_PROBLEMS)


def test_a_line_without_an_end_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_BYTES", 3 << 20)
    path = tmp_path / "long.csv"
    path.write_bytes("서버,기관\n".encode() + b"a" * (2 << 20))
    with pytest.raises(Invalid, match="2번째 줄이"):
        read_servers(read_file(path), ServerImport())
    with path.open("wb") as file:
        file.truncate(200 << 20)
    with pytest.raises(Invalid, match="초과"):
        read_file(path)


@pytest.mark.slow
def test_an_archive_that_unpacks_to_gigabytes_is_refused() -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(300):
            part.write(bytes(1 << 20))
    content = buffer.getvalue()
    assert len(content) < 1 << 20
    with pytest.raises(Invalid, match="압축을 푼 크기"):
        values(content, "bomb.xlsx")


def test_entities_in_an_archive_are_refused() -> None:
    entity = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><worksheet/>'
    source = zipfile.ZipFile(io.BytesIO(book(("서버",), ("A",))))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in source.namelist():
            hostile = name.endswith("sheet1.xml")
            archive.writestr(name, entity if hostile else source.read(name))
    with pytest.raises(Invalid, match="Excel 파일로 읽을 수 없습니다"):
        values(buffer.getvalue(), "entity.xlsx")


def test_owners_are_read_with_korean_words() -> None:
    text = "담당자,기관,분야,숙련도,정/부\neng,MOF,DB,상,부\n"
    found = read_table(ImportFile("o.csv", text.encode()), OWNERS)
    assert found.rows == [
        (
            2,
            {
                "person": "eng",
                "institution": "MOF",
                "skill": "DB",
                "proficiency": "5",
                "duty": "deputy",
            },
        )
    ]


# --- properties -------------------------------------------------------------------------------

_WORD = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z._-]{0,20}", fullmatch=True)
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30)
_NAMES = st.lists(
    st.text(st.sampled_from("가나 AB=+-@'\"#:;,[]"), min_size=1, max_size=10).map(str.strip),
    max_size=3,
    unique=True,
).map(lambda names: [n for n in names if n])
_SERVERS = st.fixed_dictionaries(
    {
        "id": _WORD,
        "institution": st.just("MOF"),
        "kind": st.sampled_from(["WEB", "DB", "X_1"]),
    },
    optional={
        "aliases": _NAMES,
        "port": st.integers(1, 65535),
        "address": st.ip_addresses().map(str),
        "login": st.fixed_dictionaries(
            {}, optional={"elevate": st.sampled_from(["none", "password"])}
        ),
        "services": st.just([{"name": "a", "kind": "http", "port": 80, "root": "/srv/a, '\"; x"}]),
    },
)


@given(st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), unique=True))
def test_days_are_written_in_korean_and_read_the_same(days: list[str]) -> None:
    ordered = read_days(",".join(days)) if days else []
    assert write_days(ordered).isascii() == (not days)
    assert (read_days(write_days(ordered)) if days else []) == ordered


@pytest.mark.parametrize(
    ("kind", "field", "choices"),
    [
        ("owner", "duty", {"primary": "정", "deputy": "부"}),
        ("duty", "holidays", {"as_usual": "평소대로", "off": "휴무", "only": "공휴일만"}),
    ],
)
def test_choices_are_written_in_korean(kind: str, field: str, choices: dict[str, str]) -> None:
    column = next(c for c in LAYOUTS[kind].columns if c.field == field)
    assert {choice: column.write(choice) for choice in choices} == choices
    assert {column.read(word): word for word in choices.values()} == choices


@pytest.mark.slow
@given(st.lists(_SERVERS, max_size=5, unique_by=lambda s: s["id"].lower()))
def test_what_is_exported_reads_the_same(servers: list[dict[str, object]]) -> None:
    records = [ServerRecord.model_validate(s).as_values() for s in servers]
    text = servers_as_csv(records, [{"id": "MOF", "name": "기획재정부"}])
    again = read_servers(ImportFile("a.csv", text.encode()), ServerImport())
    assert not again.problems
    found = [KINDS[d.kind].model_validate(d.values) for d in again.drafts if d.kind == "server"]
    assert [record.as_values() for record in found] == records


@given(st.binary(max_size=300) | _TEXT.map(str.encode))
@pytest.mark.slow
def test_any_content_is_read_or_refused(content: bytes) -> None:
    for name in ("a.csv", "a.xlsx", "hosts", "a.yml"):
        try:
            read_servers(ImportFile(name, "서버,기관\n".encode() + content), ServerImport())
            read_servers(ImportFile(name, content), ServerImport())
        except Invalid:
            continue


@pytest.mark.slow
@given(_TEXT)
def test_a_cell_of_services_is_read_or_refused(text: str) -> None:
    from pydantic_core import PydanticCustomError

    try:
        assert all("name" in s or s for s in read_services(text)) or text == ""
    except PydanticCustomError as error:
        assert error.type == "services"


def test_every_header_is_unique_in_its_table() -> None:
    from guardia.board.cmdb.imports.columns import header_form
    from guardia.board.cmdb.imports.layouts import LAYOUTS

    for layout in LAYOUTS.values():
        forms = [{header_form(h) for h in (c.field, *c.headers)} for c in layout.columns]
        twice = [a & b for i, a in enumerate(forms) for b in forms[:i] if a & b]
        assert not twice, (layout.kind, twice)
    assert SERVERS.kind == "server"
