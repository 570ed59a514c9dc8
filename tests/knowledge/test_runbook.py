"""The shipped runbooks are valid, and an invalid one is reported with its field."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jmespath
import pytest
from pydantic import ValidationError

from guardia.errors import Misconfigured
from guardia.i18n import catalogue
from guardia.knowledge.runbook import Runbook, load, shipped

FOLDER = files("guardia.knowledge") / "runbooks"
IDS = [r.id for r in shipped()]

VALID = """---
id: sample
title: 표본
version: 1
skills: [DB]
kinds: [DB]
service: postgresql
category: MAINTENANCE
action_type: KILL_QUERY
symptoms: [느리다]
parameters:
  version: {pattern: '\\d+', required: true, ask: "버전을 알려 주세요."}
diagnose:
  - {as: locks, tool: database.locks, args: {service: "=service.name"}}
decide:
  - id: blocked
    when: "locks.waiting > `0`"
    because: "{locks.waiting}개가 기다립니다."
    act: [{tool: database.terminate_session, for_each: "locks.roots", args: {pid: "=item.pid"}}]
    verify: [{tool: database.locks, expect: "waiting == `0`", within: 5, sentence: 확인}]
  - {id: fine, when: "locks.waiting == `0`", because: 괜찮습니다, conclude: nothing_to_do}
---
## 하나

글

## 둘

글

## 셋

글

## 넷

글
"""


def written(folder: Path, text: str, name: str = "sample.md") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_valid_runbook(tmp_path: Path) -> None:
    path = written(tmp_path, VALID)
    runbook = load(path)
    assert runbook.diagnose[0].as_ == "locks"
    assert runbook.decide[0].act[0].for_each == "locks.roots"
    assert runbook.decide[0].verify[0].within == 5
    assert runbook.decide[1].conclude == "nothing_to_do"
    assert runbook.parameters["version"].required
    assert [p.heading for p in runbook.passages] == ["하나", "둘", "셋", "넷"]
    assert runbook.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    passage = runbook.passages[0]
    assert (passage.document, passage.version, passage.sha256) == ("sample", 1, runbook.sha256)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("version: 1\n", "version: one\n", "version"),
        ("version: 1\n", "", "version"),
        ("title: 표본\n", "title: 표본\nowner: me\n", "owner"),
        ("kinds: [DB]", "kinds: []", "kinds"),
        ("action_type: KILL_QUERY", "action_type: DANCE", "action_type"),
        ("symptoms: [느리다]", "symptoms: []", "symptoms"),
        ("'\\d+'", "'('", "parameters.version.pattern"),
        ("as: locks", "as: Locks!", "diagnose.0.as"),
        ("tool: database.locks, args", "tool: rm -rf, args", "diagnose.0.tool"),
        ('"=service.name"', '"=service..name"', "diagnose.0.args"),
        ('"locks.waiting > `0`"', '"locks.waiting >"', "decide.0.when"),
        ("{locks.waiting}개", "{locks.}개", "decide.0.because"),
        ('for_each: "locks.roots"', 'for_each: "[["', "decide.0.act.0.for_each"),
        ('expect: "waiting == `0`"', 'expect: "=="', "decide.0.verify.0.expect"),
        ("conclude: nothing_to_do", "conclude: shrug", "decide.1.conclude"),
        (", conclude: nothing_to_do", "", "decide.1"),
        ("because: 괜찮습니다, conclude", "because: '', conclude", "decide.1.because"),
        ("within: 5", "within: -5", "decide.0.verify.0.within"),
        (", sentence: 확인", "", "decide.0.verify.0.sentence"),
    ],
)
def test_the_invalid_field_is_named(old: str, new: str, field: str, tmp_path: Path) -> None:
    assert old in VALID
    with pytest.raises(Misconfigured) as caught:
        load(written(tmp_path, VALID.replace(old, new, 1)))
    assert "sample.md" in str(caught.value)
    assert f"{field}:" in str(caught.value) or f"{field} " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("# 제목뿐\n", "sample.md"),
        (VALID, "other.md"),
        (VALID.replace("## 넷\n\n글\n", ""), "sample.md"),
        (VALID.replace("skills: [DB]", "skills: [DB"), "sample.md"),
        (VALID.replace("title: 표본", "title: 표본\ntitle: 둘"), "sample.md"),
    ],
)
def test_files_that_are_not_runbooks(text: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=name):
        load(written(tmp_path, text, name))


def test_an_act_needs_a_verify(tmp_path: Path) -> None:
    check = '{tool: database.locks, expect: "waiting == `0`", within: 5, sentence: 확인}'
    line = f"    verify: [{check}]\n"
    with pytest.raises(Misconfigured, match=r"decide\.0"):
        load(written(tmp_path, VALID.replace(line, "")))


def test_a_runbook_is_frozen() -> None:
    with pytest.raises(ValidationError):
        shipped()[0].title = "다른 제목"  # type: ignore[misc]


def test_all_are_shipped() -> None:
    files_there = sorted(p.name for p in FOLDER.iterdir() if p.name.endswith(".md"))
    assert files_there == [f"{i}.md" for i in IDS]
    assert {"db-lock-chain", "was-hung", "disk-log-full", "was-deploy"} <= set(IDS)


# Findings as the tools return them. Every rule of every runbook must decide one of these, and every
# runbook must decide each of its own.
LOCKS: dict[str, Any] = {
    "waiting": 3,
    "roots": [
        {
            "pid": 71,
            "backend_start": "2026-11-20T05:00:00Z",
            "state": "idle in transaction",
            "user": "app",
            "application": "budget",
            "xact_seconds": 812.4,
            "query": "update t",
            "blocked": 3,
        }
    ],
    "waiters": [],
}
ACTIVE = {**LOCKS, "roots": [{**LOCKS["roots"][0], "state": "active"}]}
SUPERUSER = {**LOCKS, "roots": [{**LOCKS["roots"][0], "may_terminate": False}]}
CALM = {"waiting": 0, "roots": [], "waiters": []}
ACTIVITY = {"sessions": 9, "active": 1, "idle_in_transaction": 0, "longest_seconds": 2}
UP = {"port_open": True, "answered": True, "status": 200, "milliseconds": 12, "version": "3.1.0"}
MUTE = {**UP, "answered": False, "status": None, "milliseconds": None, "version": None}
GONE = {**MUTE, "port_open": False}
RUNS = {"running": True, "processes": [{"pid": 5, "state": "S"}]}
STOPPED = {"running": True, "processes": [{"pid": 5, "state": "T"}]}
DEAD: dict[str, Any] = {"running": False, "processes": []}
BIG = {"name": "app-debug.log", "bytes": 9_000_000, "growing": True, "id": "abcdef123456"}
BIG |= {"kind": "log", "can_be_archived": True}
STILL = {**BIG, "name": "access.log", "growing": False}
DUMP = {**BIG, "name": "java_pid1.hprof", "kind": "dump", "can_be_archived": False}
LARGEST = {"files": [DUMP, STILL, BIG]}
CAUSES: dict[str, dict[str, Any]] = {
    "read_only": {},
    "inodes": {"inodes_percent": 100},
    "deleted": {"deleted_kb": 9000, "deleted": [{"pid": 7, "command": "java"}]},
    "quota": {"quota_percent": 100},
}
USAGE = {"path": "/srv/budget/logs", "percent": 97}
LOAD = {"load1": 0.4, "load5": 0.3, "cores": 2, "memory_percent": 40}
CURRENT = {"version": "3.1.0", "releases": ["3.1.0", "3.1.1"]}
WANTED = {"params": {"version": "3.1.1"}}
CERTIFICATE = {"name": "-", "subject": "CN=moe", "not_before": "2026-10-01T00:00:00+00:00"}
CERTIFICATE |= {"not_after": "2027-01-01T00:00:00+00:00", "days": 90}
FAILURES: dict[str, Any] = {"failures": 7, "sources": [{"address": "192.0.2.1", "count": 7}]}
SPREAD = {"failures": 130, "sources": [{"address": f"192.0.2.{n}", "count": 10} for n in range(13)]}
DISK = {"usage": USAGE, "largest": LARGEST, "health": UP}

UNIT: dict[str, Any] = {
    "found": True,
    "active": False,
    "state": "failed/failed",
    "result": "exit-code",
    "exit_status": 1,
    "start_limit_hit": False,
    "restart_loop": False,
    "restarts": 5,
    "needs": [],
    "log": ["bind() failed"],
}
ACTIVE_UNIT = {**UNIT, "active": True, "state": "active/running", "result": None}
VALID_TEST: dict[str, Any] = {"valid": True, "problems": []}
PROBLEM = {"level": "error", "file": "/etc/nginx/nginx.conf", "line": 46, "message": "unknown"}
THREADS: dict[str, Any] = {"deadlocked": [], "blocked": [], "holders": [], "busy_requests": 2}
BLOCKED = [{"name": f"exec-{n}", "stack": ["gov.Account.move"]} for n in range(5)]
HOLDERS = [{"state": "exec-9", "count": 5}]
HEAP = {"percent": 40, "max_kb": 131072}
TOMCAT = {"processes": RUNS, "threads": THREADS, "heap": HEAP}
TEMPLATE = {"level": "ERROR", "count": 70, "first": "2026-11-20T05:00:00+00:00", "after": None}
PATTERNS: dict[str, Any] = {"lines": 90, "errors": 80, "flood": True, "templates": [TEMPLATE]}
CHANGED = {**PATTERNS, "templates": [{**TEMPLATE, "after": "release /srv/current"}]}
LOGGED = {**PATTERNS, "warnings": 3}
STILL_UNIT = {"restart_loop": False, "restarts": 0}

SLEEPER = {"id": 36, "user": "app", "client": "10.0.0.9:4711", "command": "Sleep", "blocked": 2}
SLEEPER |= {"may_kill": True, "transaction_seconds": 900}
WAITS = {"waiting": 2, "roots": [SLEEPER]}
FEW = {"percent": 10, "used": 15, "max": 151}
OLD = {"id": "abc123def456", "count": 500, "inode_percent": 99, "percent": 20, "removable": True}
SPOOL = {"name": "spool", "logs": "/var/spool/minwon"}
VOLUMES = {"worst_inode_percent": 99, "volumes": [{"mount": "/var/spool"}]}
HELD = {"pid": 7, "command": "java", "unit": "tomcat.service", "path": "/srv/logs/app.log"}
KEPT = {"bytes": 900_000_000, "files": [HELD], "hidden_processes": 0}
ACCOUNT = {"exists": True, "password": "set", "failures": 0, "allowed_failures": 3}
ACCOUNT |= {"refused": False, "account_expired": False, "password_expired": False}
EXPIRED = {"account_expired": True, "account_expires": "Jan 1", "password_expires": "never"}
TIMER = {"unit": "n.timer", "exists": True, "state": "on", "next": "2026-12-01T00:00:00+00:00"}
TIMER |= {"last": "2026-11-30T00:00:00+00:00", "runs": "n.service", "result": "success"}
CHAIN = {"sha256": "a" * 64, "subject": "CN=moe", "not_after": "2027-12-01T00:00:00+00:00"}
CHAIN |= {"key_matches": True, "valid": True, "covers": True}
NEW = {"candidate": CHAIN, "installed": {**CHAIN, "sha256": "b" * 64}, "complete": True}
NEW |= {"newer": True, "usable": True}
FILE = {"params": {"source": "/home/ops/chain.pem", "source_key": "/home/ops/site.key"}}

RESTART = {"kind": "REQUEST", "action": "RESTART"}
DECIDED: list[tuple[str, dict[str, Any], str]] = [
    ("db-lock-chain", {"locks": None, "activity": None}, "unreadable"),
    ("db-lock-chain", {"locks": LOCKS, "activity": ACTIVITY}, "idle_blocker"),
    ("db-lock-chain", {"locks": SUPERUSER, "activity": ACTIVITY}, "not_permitted"),
    ("db-lock-chain", {"locks": ACTIVE, "activity": ACTIVITY}, "running_blocker"),
    ("db-lock-chain", {"locks": {**LOCKS, "roots": []}, "activity": ACTIVITY}, "hidden_blocker"),
    (
        "db-lock-chain",
        {"locks": CALM, "activity": {**ACTIVITY, "longest_seconds": 900}},
        "long_running",
    ),
    ("db-lock-chain", {"locks": CALM, "activity": ACTIVITY}, "healthy"),
    ("db-lock-chain", {"locks": CALM, "activity": None}, "healthy"),
    ("was-hung", {"health": None, "processes": RUNS}, "unreadable"),
    ("was-hung", {"health": MUTE, "processes": STOPPED}, "stopped"),
    ("was-hung", {"health": MUTE, "processes": RUNS}, "hung"),
    ("was-hung", {"health": GONE, "processes": DEAD}, "down"),
    ("was-hung", {"health": GONE, "processes": RUNS}, "port_closed"),
    ("was-hung", {"health": {**UP, "status": 500}, "processes": RUNS}, "failing"),
    ("was-hung", {"health": {**UP, "milliseconds": 9000}, "processes": RUNS}, "slow"),
    ("was-hung", {"health": UP, "processes": RUNS}, "healthy"),
    ("was-hung", {"health": UP, "processes": RUNS, "request": RESTART}, "requested"),
    *(
        ("was-hung", {"health": UP, "processes": RUNS, "request": request}, "healthy")
        for request in (
            {**RESTART, "kind": "INCIDENT"},
            {**RESTART, "kind": "QUESTION"},
            {**RESTART, "kind": None},
            {**RESTART, "action": "HEALTH_CHECK"},
        )
    ),
    ("disk-log-full", {**DISK, "usage": None, "level": None}, "unreadable"),
    ("disk-log-full", {**DISK, "usage": {**USAGE, "percent": 40}, "level": None}, "roomy"),
    ("disk-log-full", {**DISK, "usage": {**USAGE, "percent": 85}, "level": None}, "filling"),
    ("disk-log-full", {**DISK, "level": {"level": "DEBUG"}}, "debug_runaway"),
    ("disk-log-full", {**DISK, "level": {"level": "INFO"}}, "large_log"),
    ("disk-log-full", {**DISK, "level": None}, "large_log"),
    ("disk-log-full", {**DISK, "largest": {"files": []}, "level": {"level": "DEBUG"}}, "not_logs"),
    ("disk-log-full", {**DISK, "largest": {"files": [DUMP]}, "level": None}, "not_a_log"),
    *(
        (
            "disk-log-full",
            {**DISK, "usage": {**USAGE, **facts, "cause": cause}, "level": None},
            cause,
        )
        for cause, facts in CAUSES.items()
    ),
    ("was-deploy", {**WANTED, "current": None, "health": UP}, "unreadable"),
    ("was-deploy", {**WANTED, "current": CURRENT, "health": UP}, "activate"),
    ("was-deploy", {**WANTED, "current": CURRENT, "health": None}, "activate"),
    (
        "was-deploy",
        {**WANTED, "current": {**CURRENT, "releases": ["3.1.0"]}, "health": UP},
        "not_staged",
    ),
    (
        "was-deploy",
        {**WANTED, "current": {**CURRENT, "version": "3.1.1"}, "health": UP},
        "already_there",
    ),
    (
        "was-deploy",
        {**WANTED, "current": {**CURRENT, "version": "3.1.1"}, "health": None},
        "already_failing",
    ),
    (
        "was-health-check",
        {"health": UP, "processes": RUNS, "usage": USAGE, "load": None},
        "unreadable",
    ),
    (
        "was-health-check",
        {"health": UP, "processes": RUNS, "usage": USAGE, "load": LOAD},
        "disk_short",
    ),
    *(
        ("was-health-check", {"processes": RUNS, "usage": {**USAGE, "percent": 9}, **more}, rule)
        for more, rule in (
            ({"health": UP, "load": {**LOAD, "memory_percent": 95}}, "memory_short"),
            ({"health": {**UP, "milliseconds": 4000}, "load": LOAD}, "slow"),
            ({"health": UP, "load": LOAD}, "healthy"),
            ({"health": MUTE, "load": LOAD}, "unhealthy"),
        )
    ),
    ("certificate-check", {"certificate": None}, "unreadable"),
    ("certificate-check", {"certificate": {**CERTIFICATE, "days": -1}}, "expired"),
    ("certificate-check", {"certificate": {**CERTIFICATE, "starts_in_days": 3}}, "not_yet_valid"),
    ("certificate-check", {"certificate": {**CERTIFICATE, "matches": False}}, "another_name"),
    ("certificate-check", {"certificate": {**CERTIFICATE, "silent": ["a.example"]}}, "silent"),
    ("certificate-check", {"certificate": {**CERTIFICATE, "days": 12}}, "expiring"),
    ("certificate-check", {"certificate": CERTIFICATE}, "valid"),
    ("log-analysis", {"health": None, "largest": None, "tail": None}, "unreadable"),
    ("log-analysis", {"health": UP, "tail": {"lines": ["INFO a", "ERROR b"]}}, "errors"),
    ("log-analysis", {"health": UP, "tail": {"lines": ["INFO a", "WARN b"]}}, "clean"),
    ("log-analysis", {"health": None, "tail": {"lines": []}}, "clean"),
    ("log-analysis", {"health": UP, "tail": None, "patterns": LOGGED}, "logged_errors"),
    ("log-analysis", {"health": UP, "tail": None, "patterns": {**LOGGED, "errors": 0}}, "quiet"),
    *(
        ("unit-failed", {"unit": unit, "health": health}, rule)
        for unit, health, rule in (
            (None, None, "unreadable"),
            ({**UNIT, "found": False}, GONE, "not_found"),
            ({**UNIT, "needs": [{"name": "db.service", "state": "failed"}]}, GONE, "needs"),
            ({**UNIT, "restart_loop": True}, GONE, "looping"),
            ({**UNIT, "start_limit_hit": True}, GONE, "start_limit"),
            (UNIT, GONE, "failed"),
            ({**UNIT, "result": None}, GONE, "stopped"),
            (ACTIVE_UNIT, MUTE, "not_answering"),
            (ACTIVE_UNIT, UP, "running"),
        )
    ),
    *(
        ("web-config-broken", {"test": test, "unit": unit, "health": health}, rule)
        for test, unit, health, rule in (
            (None, None, None, "unreadable"),
            ({"valid": False, "problems": [PROBLEM]}, ACTIVE_UNIT, UP, "broken"),
            (VALID_TEST, UNIT, GONE, "stopped"),
            (VALID_TEST, ACTIVE_UNIT, UP, "apply"),
            (VALID_TEST, ACTIVE_UNIT, GONE, "port_closed"),
        )
    ),
    *(
        ("tomcat-hung", {**TOMCAT, **more}, rule)
        for more, rule in (
            ({"health": None}, "unreadable"),
            (
                {"health": UP, "threads": {**THREADS, "deadlocked": ["a"], "blocked": BLOCKED}},
                "deadlock",
            ),
            ({"health": MUTE, "heap": {**HEAP, "percent": 99}}, "heap_full"),
            ({"health": MUTE}, "hung"),
            ({"health": GONE, "processes": DEAD, "threads": None, "heap": None}, "down"),
            ({"health": UP, "heap": {**HEAP, "percent": 92}}, "heap_high"),
            (
                {"health": UP, "threads": {**THREADS, "blocked": BLOCKED, "holders": HOLDERS}},
                "contention",
            ),
            ({"health": GONE}, "not_answering"),
            ({"health": UP}, "healthy"),
        )
    ),
    *(
        ("log-flood", {"patterns": patterns, "unit": unit}, rule)
        for patterns, unit, rule in (
            (None, None, "unreadable"),
            (PATTERNS, {"restart_loop": True, "restarts": 9}, "looping"),
            (CHANGED, STILL_UNIT, "after_change"),
            (PATTERNS, STILL_UNIT, "flood"),
            ({**PATTERNS, "flood": False, "burst": None}, STILL_UNIT, "quiet"),
        )
    ),
    ("auth-failures", {"failures": None}, "unreadable"),
    (
        "auth-failures",
        {"failures": {**FAILURES, "sources": [{"address": "192.0.2.1", "count": 80}]}},
        "concentrated",
    ),
    ("auth-failures", {"failures": SPREAD}, "spread"),
    ("auth-failures", {"failures": FAILURES}, "usual"),
    ("mysql-lock-wait", {"locks": None, "connections": FEW}, "unreadable"),
    (
        "mysql-lock-wait",
        {"locks": {"waiting": 1, "roots": [{**SLEEPER, "may_kill": False}]}, "connections": FEW},
        "not_permitted",
    ),
    ("mysql-lock-wait", {"locks": WAITS, "connections": FEW}, "idle_blocker"),
    (
        "mysql-lock-wait",
        {"locks": {"waiting": 1, "roots": [{**SLEEPER, "command": "Query"}]}, "connections": FEW},
        "running_blocker",
    ),
    (
        "mysql-lock-wait",
        {"locks": {"waiting": 1, "roots": []}, "connections": FEW},
        "hidden_blocker",
    ),
    ("mysql-lock-wait", {"locks": CALM, "connections": {**FEW, "percent": 95}}, "crowded"),
    ("mysql-lock-wait", {"locks": CALM, "connections": FEW}, "healthy"),
    ("inode-exhaustion", {"old": None, "volumes": VOLUMES}, "unreadable"),
    ("inode-exhaustion", {"old": OLD, "volumes": {"worst_inode_percent": 7}}, "enough"),
    *(
        ("inode-exhaustion", {"old": {**OLD, **facts}, "volumes": VOLUMES, "service": SPOOL}, rule)
        for facts, rule in (
            ({"inode_percent": 3}, "another_volume"),
            ({"removable": False}, "not_removable"),
            ({}, "clean"),
            ({"count": 0}, "nothing_old"),
        )
    ),
    ("deleted-open-file", {"deleted": None}, "unreadable"),
    (
        "deleted-open-file",
        {"deleted": KEPT, "service": {"name": "portal", "unit": "tomcat.service"}},
        "own_service",
    ),
    ("deleted-open-file", {"deleted": KEPT}, "another_process"),
    ("deleted-open-file", {"deleted": {**KEPT, "bytes": 5, "hidden_processes": 9}}, "hidden"),
    ("deleted-open-file", {"deleted": {**KEPT, "bytes": 5}}, "nothing"),
    ("account-locked", {"account": None}, "unreadable"),
    (
        "account-locked",
        {"account": {**ACCOUNT, "exists": False}, "service": {"login": "h"}},
        "missing",
    ),
    ("account-locked", {"account": {**ACCOUNT, **EXPIRED}}, "expired"),
    ("account-locked", {"account": {**ACCOUNT, "password": "locked"}}, "locked"),
    ("account-locked", {"account": {**ACCOUNT, "refused": True, "failures": 3}}, "failures"),
    ("account-locked", {"account": ACCOUNT}, "usable"),
    ("timer-off", {"timer": None}, "unreadable"),
    ("timer-off", {"timer": {**TIMER, "exists": False}, "service": {"unit": "n.timer"}}, "missing"),
    ("timer-off", {"timer": {**TIMER, "state": "off"}}, "off"),
    ("timer-off", {"timer": {**TIMER, "result": "exit-code"}}, "failed"),
    ("timer-off", {"timer": TIMER}, "running"),
    ("certificate-renewal", {**FILE, "found": None}, "unreadable"),
    ("certificate-renewal", {**FILE, "found": {**NEW, "installed": CHAIN}}, "same"),
    ("certificate-renewal", {**FILE, "found": {**NEW, "usable": False}}, "unusable"),
    ("certificate-renewal", {**FILE, "found": NEW}, "renew"),
]

SITUATION = {
    "server": {"server_id": "MOF-WAS-01"},
    "service": {"name": "budget", "port": 8081, "health": "/health", "unit": "budget.service"},
    "params": {},
    "request": {"kind": "REQUEST", "action": None},
}


def runbook(name: str) -> Runbook:
    return next(r for r in shipped() if r.id == name)


@pytest.mark.parametrize(("name", "findings", "rule"), DECIDED)
def test_the_rule_that_decides(name: str, findings: dict[str, Any], rule: str) -> None:
    data = {**SITUATION, **findings}
    decided = next(r for r in runbook(name).decide if jmespath.search(r.when, data))
    assert decided.id == rule


def test_every_rule_is_reached() -> None:
    reached = {(name, rule) for name, _, rule in DECIDED}
    assert reached == {(r.id, rule.id) for r in shipped() for rule in r.decide}


@pytest.mark.parametrize(("name", "findings", "rule"), DECIDED)
def test_sentences_and_arguments_are_filled_in(
    name: str, findings: dict[str, Any], rule: str
) -> None:
    """No text of a plan or a report is empty."""
    from guardia.knowledge.runbook import _PLACEHOLDER

    data = {**SITUATION, **findings}
    decided = next(r for r in runbook(name).decide if r.id == rule)
    hidden = {v for v in data.values() if v is None}
    for expression in _PLACEHOLDER.findall(decided.because):
        value = jmespath.search(expression, data)
        assert value not in (None, [], "") or hidden or "status" in expression, expression
    for act in decided.act:
        items = jmespath.search(act.for_each, data) if act.for_each else [None]
        assert items
        for item in items:
            for value in act.args.values():
                if isinstance(value, str) and value.startswith("="):
                    assert jmespath.search(value[1:], {**data, "item": item}) is not None


def test_the_growing_file_is_archived_before_a_larger_static_one() -> None:
    act = next(r for r in runbook("disk-log-full").decide if r.id == "large_log").act[0]
    assert act.for_each is not None
    chosen = jmespath.search(act.for_each, {"largest": LARGEST})
    assert [f["name"] for f in chosen] == ["app-debug.log"]
    chosen = jmespath.search(act.for_each, {"largest": {"files": [STILL]}})
    assert [f["name"] for f in chosen] == ["access.log"]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.1.1 버전 배포해 주세요", "3.1.1"),
        ("v2.4.1을 배포", "2.4.1"),
        ("핫픽스(3.1.1) 배포", "3.1.1"),
        ("minwon-2.8.1.war 배포", "2.8.1"),
        ("3.1.1.", "3.1.1"),
        ("10.20.1.15 서버에 배포", None),
        ("배포해 주세요", None),
    ],
)
def test_the_version_in_a_request(text: str, version: str | None) -> None:
    import re

    match = re.search(runbook("was-deploy").parameters["version"].pattern, text)
    assert (match[0] if match else None) == version


@pytest.mark.parametrize("name", IDS)
def test_prose_can_be_cited(name: str) -> None:
    passages = runbook(name).passages
    assert 4 <= len(passages) <= 6
    assert passages[0].heading == "적용 대상"
    assert all(len(p.text) >= 60 for p in passages)


def test_read_only_runbooks_change_nothing() -> None:
    for book in shipped():
        acts = any(rule.act for rule in book.decide)
        assert acts == (book.category != "READ_ONLY")


def test_texts_in_both_languages() -> None:
    assert catalogue("ko", "knowledge").keys() == catalogue("en", "knowledge").keys()
