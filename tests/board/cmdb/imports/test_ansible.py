"""Ansible inventories, in both forms."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.cmdb.applying import ChangeSet
from guardia.board.cmdb.imports.ansible import InventoryDefaults
from guardia.board.cmdb.imports.decoding import ImportFile
from guardia.board.cmdb.imports.host_ranges import BadRange, expand
from guardia.board.cmdb.imports.inventory_folders import read_folders
from guardia.board.cmdb.imports.reading import ServerImport, read_servers
from guardia.errors import Invalid

INI = """
# comment
bastion.mof ansible_host=10.0.0.9 guardia_kind=SECURITY   # a comment

[web]
web[01:03].mof ansible_user=svc
web09.mof:2222 ansible_host=10.0.0.19 guardia_aliases="기재부 웹, 웹 9호기"

[db]
db-[a:b] ansible_port=2200

[mof:children]
web
db

[mof:vars]
guardia_institution = MOF
ansible_user=ops
ansible_ssh_private_key_file=~/.ssh/mof-ops.pem

[db:vars]
ansible_user=dba
"""
YAML = """
all:
  vars:
    ansible_user: ops
    guardia_institution: MOF
    ansible_ssh_private_key_file: /home/ops/.ssh/mof-ops.pem
  children:
    web:
      hosts:
        web[01:03].mof:
          ansible_user: svc
        web09.mof:2222:
          ansible_host: 10.0.0.19
          guardia_aliases: [기재부 웹, 웹 9호기]
    db:
      hosts:
        db-[a:b]:
          ansible_port: 2200
      vars:
        ansible_user: dba
        ansible_password: !vault |
          $ANSIBLE_VAULT;1.1;AES256
          6162
"""


def read(text: str, name: str = "hosts.ini", **more: str) -> ChangeSet:
    """Return the changes of an inventory."""
    how = ServerImport(defaults=InventoryDefaults(**more))  # type: ignore[arg-type]
    return read_servers(ImportFile(name, dedent(text).encode()), how)


def servers(found: ChangeSet) -> dict[str, dict[str, object]]:
    """Return the values of servers by id."""
    return {d.key: dict(d.values) for d in found.drafts if d.kind == "server"}


@pytest.mark.parametrize(("text", "name"), [(INI, "hosts.ini"), (YAML, "hosts.yml")])
def test_both_forms_give_the_same_servers(text: str, name: str) -> None:
    found = read(text, name, institution="MOF")
    assert not found.problems, found.problems
    made = servers(found)
    made.pop("bastion.mof", None)
    assert sorted(made) == [
        "db-a", "db-b", "web01.mof", "web02.mof", "web03.mof", "web09.mof"
    ]  # fmt: skip
    web, nine, db = made["web01.mof"], made["web09.mof"], made["db-a"]
    assert (web["account"], nine["account"], db["account"]) == ("svc", "ops", "dba")
    assert (web["address"], nine["address"]) == ("web01.mof", "10.0.0.19")
    assert (nine["port"], db["port"]) == ("2222", "2200")
    assert {m["credential"] for m in made.values()} == {"mof-ops"}, "only the name of the key"
    assert (web["kind"], db["kind"]) == ("WEB", "DB")
    assert "web" in web["groups"] and nine["aliases"] == ["기재부 웹", "웹 9호기"]  # type: ignore[operator]


def test_passwords_are_named_and_not_imported() -> None:
    found = read(YAML, "hosts.yml")
    assert "비밀번호 변수는 가져오지 않았습니다" in found.notes[0] and "db-a" in found.notes[0]
    assert "VAULT" not in repr(found)
    secret = read("[db]\ndb1 ansible_ssh_pass=hunter2 guardia_institution=MOF\n")
    assert secret.notes and "hunter2" not in repr(secret)


def test_a_group_named_like_an_institution_is_one() -> None:
    found = read("[기재부:children]\ndb\n[db]\ndb1\n", institutions={"기재부": "MOF"})  # type: ignore[arg-type]
    assert servers(found)["db1"]["institution"] == "MOF"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("[db]\ndb[3:1]\n", 2, "호스트 범위"),
        ("[db]\ndb[01:1000000000]\n", 2, "호스트 범위"),
        ("[db]\ndb[1:9\n", 2, "호스트 범위"),
        ("[db]\ndb1 ansible_host\n", 2, "변수"),
        ("[db]\ndb1 a='x\n", 2, "따옴표"),
        ("[db:others]\ndb1\n", 1, "그룹 제목"),
        ("[db\ndb1\n", 1, "그룹 제목"),
        ("[db]\nx\n[db:vars]\nno value\n", 4, "변수"),
        ("[a:children]\nb\n[b:children]\na\n[a]\nx\n", 1, "자기 자신의 하위"),
        ("[db]\ndb1 ansible_connection=winrm\n", 2, "접속 방식"),
        ("[db]\ndb1 ansible_host={{ ip }}\n", 2, "변수"),
        ("[db]\ndb1 ansible_host='{{ ip }}'\n", 2, "템플릿"),
        ("[things]\nx1\n", 2, "종류를 알 수 없습니다"),
    ],
)
def test_what_cannot_be_taken_is_named_with_its_line(text: str, line: int, problem: str) -> None:
    found = read(text, institution="MOF")
    assert (found.problems[0].line, found.bad >= 1) == (line, True)
    assert problem in str(found.problems[0])


def test_a_host_without_an_institution_is_a_bad_line() -> None:
    found = read("[db]\ndb1\n")
    assert [bad.line for bad in found.problems] == [2] and "기관" in str(found.problems[0])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("plugin: aws_ec2\n", "동적 인벤토리"),
        ("- a\n", "Ansible 인벤토리가 아닙니다"),
        ("all: [\n", "YAML로 읽을 수 없습니다"),
        ("all:\n\thosts:\n", "2번째 줄"),
    ],
)
def test_a_yaml_that_is_no_inventory_is_refused(text: str, problem: str) -> None:
    with pytest.raises(Invalid, match=problem):
        read(text, "hosts.yaml")


def test_a_yaml_that_repeats_itself_is_bounded() -> None:
    lines = ["all:", "  children:", "    a0: &a0 {hosts: {x: }}"]
    for n in range(1, 40):
        body = f"{{children: {{b{n}: *a{n - 1}, c{n}: *a{n - 1}}}}}"
        lines.append(f"    a{n}: &a{n} {body}")
    found = read("\n".join(lines) + "\n", "hosts.yaml", institution="MOF", kind="DB")
    assert found.bad > 0


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("web[01:10:3]", "web01 web04 web07 web10"),
        ("web[8:11]", "web8 web9 web10 web11"),
        ("db-[a:c]", "db-a db-b db-c"),
        ("r[1:2]n[1:2]", "r1n1 r1n2 r2n1 r2n2"),
        ("plain", "plain"),
    ],
)
def test_ranges(pattern: str, names: str) -> None:
    assert expand(pattern) == names.split()


@given(st.text("web[]0:1a29 ", max_size=16))
def test_any_pattern_is_expanded_or_refused(pattern: str) -> None:
    try:
        assert 1 <= len(expand(pattern)) <= 20_000
    except BadRange:
        assert "[" in pattern or "]" in pattern


@given(st.text(st.sampled_from("[]:=\n #;'\"abz019{}-&*!\t"), max_size=120))
def test_any_inventory_is_read_or_refused(text: str) -> None:
    for name in ("hosts.ini", "hosts.yml"):
        try:
            read(text, name, institution="MOF", kind="DB")
        except Invalid:
            continue


class TestFolders:
    def test_variables_beside_the_inventory_are_read(self, tmp_path: Path) -> None:
        files = {
            "hosts": "[web]\nweb1.mof ansible_user=own\nweb2.mof\n[db]\ndb1.mof\n",
            "group_vars/all.yml": "guardia_institution: MOF\nansible_user: everyone\n",
            "group_vars/web/main.yml": "guardia_kind: WEB\nansible_user: web\n",
            "group_vars/web/more.yml": "ansible_port: 2222\n",
            "group_vars/db.json": '{"guardia_kind": "DB"}',
            "group_vars/db.yml~": "guardia_kind: WAS\n",
            "group_vars/other": "guardia_kind: WAS\n",
            "host_vars/web2.mof": "---\nansible_host: 10.0.0.2\nansible_user: two\n",
            "host_vars/db1.mof.yml": "guardia_credential: dbkey\nansible_password: !vault x\n",
            "host_vars/web1.mof/vault": "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
        }
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        how = ServerImport(form="ini", folders=read_folders(tmp_path / "hosts"))
        found = read_servers(ImportFile("hosts", (tmp_path / "hosts").read_bytes()), how)
        seen = {d.values["id"]: d.values for d in found.drafts}
        assert not found.problems
        assert {name: v["kind"] for name, v in seen.items()} == {
            "web1.mof": "WEB", "web2.mof": "WEB", "db1.mof": "DB"
        }  # fmt: skip
        accounts = [seen[name]["account"] for name in ("web1.mof", "web2.mof", "db1.mof")]
        assert accounts == ["own", "two", "everyone"]
        assert (seen["web1.mof"]["port"], seen["web2.mof"]["address"]) == ("2222", "10.0.0.2")
        assert seen["db1.mof"]["credential"] == "dbkey"
        assert "host_vars/web1.mof/vault" in " ".join(found.notes)

    def test_a_broken_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "group_vars").mkdir()
        (tmp_path / "group_vars/web.yml").write_text("a: [\n")
        with pytest.raises(Invalid, match=r"group_vars/web\.yml"):
            read_folders(tmp_path / "hosts")
