"""The offline verifier detects every attack on an export, and its mutants fail to."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mutation import ModuleSet, cpu_time_limit, mutants

from guardia.board.audit import canonical, chain, checkpoint, signing_keys, verifier

ROOT = Path(__file__).resolve().parents[3]
START = datetime(2026, 11, 20, 5, tzinfo=UTC)
PEM = checkpoint.generate_key()
OTHER = checkpoint.generate_key()
SIZE, SEALED = 9, (3, 6, 9)
Lines = list[dict[str, Any]]
Outcome = tuple[int | None, int | None, str | None, int, int]
"""Bad entry, bad checkpoint, fault, number of valid entries, number of signed entries."""


@dataclass
class Board:
    """The modules under test, original or mutated."""

    chain: types.ModuleType
    signers: types.ModuleType
    checkpoint: types.ModuleType
    verifier: types.ModuleType

    def key(self, pem: str = PEM) -> Any:
        return self.checkpoint.load_private_key(pem)

    def links(self, count: int = SIZE) -> list[Any]:
        made: list[Any] = []
        for n in range(1, count + 1):
            link = self.chain.ChainEntry(
                seq=n,
                created_at=START + timedelta(seconds=n),
                actor="agent:db-agent",
                kind="comment",
                sr_id=n % 3 or None,
                task_id=None,
                log_content=f"기록 {n}",
                detail={"n": n},
                previous_hash=made[-1].current_hash if made else self.chain.ORIGIN,
            )
            made.append(replace(link, current_hash=link.hash()))
        return made

    def signed(self, links: list[Any], sizes: tuple[int, ...], pem: str = PEM) -> list[Any]:
        made: list[Any] = []
        for size in sizes:
            previous = made[-1].identity() if made else self.chain.ORIGIN
            head, time = links[size - 1].current_hash, START + timedelta(minutes=size)
            plain = self.checkpoint.Checkpoint("main", size, head, time, previous)
            made.append(self.checkpoint.sign(plain, self.key(pem)))
        return made

    def export(self, links: list[Any], signed: list[Any]) -> Lines:
        witnessed_heads = {c.size: c for c in signed}
        lines: Lines = [{"export": {"format": self.verifier.FORMAT, "chain": "main", "key": ""}}]
        for link in links:
            lines.append({"entry": {**link.body(), "current_hash": link.current_hash}})
            if link.seq in witnessed_heads:
                lines.append({"checkpoint": witnessed_heads[link.seq].to_dict()})
        return [*lines, {"end": {"entries": len(links), "checkpoints": len(signed)}}]

    def verify(self, lines: Lines, more: bytes = b"", pem: str = PEM) -> Any:
        data = b"".join(json.dumps(line).encode() + b"\n" for line in lines) + more
        return self.verifier.verify_export(io.BytesIO(data), self.key(pem).public_key())

    def line(self, pem: str = PEM) -> Any:
        return self.signers.KeySuccession("record", self.key(pem).public_key())


def board() -> Board:
    return Board(chain, signing_keys, checkpoint, verifier)


def outcome(verdict: Any) -> Outcome:
    assert verdict.intact == (verdict.fault is None)
    return verdict.bad, verdict.checkpoint, verdict.fault, verdict.size, verdict.sealed


def whole(b: Board) -> Lines:
    links = b.links()
    return b.export(links, b.signed(links, SEALED))


# Lines of the export: 0 export, 1-3 entries, 4 checkpoint 3, 5-7, 8 checkpoint 6, 9-11, 12, 13.
def entry_changed(name: str, value: Any) -> Callable[[Board], Lines]:
    def attack(b: Board) -> Lines:
        lines = whole(b)
        lines[6]["entry"][name] = value
        return lines

    return attack


def checkpoint_changed(name: str, value: Any) -> Callable[[Board], Lines]:
    def attack(b: Board) -> Lines:
        lines = whole(b)
        lines[8]["checkpoint"][name] = value
        return lines

    return attack


def without(*numbers: int, end: dict[str, int] | None = None) -> Callable[[Board], Lines]:
    def attack(b: Board) -> Lines:
        lines = [line for n, line in enumerate(whole(b)) if n not in numbers]
        return [*lines[:-1], {"end": end}] if end else lines

    return attack


def swapped(one: int, two: int) -> Callable[[Board], Lines]:
    def attack(b: Board) -> Lines:
        lines = whole(b)
        lines[one], lines[two] = lines[two], lines[one]
        return lines

    return attack


def put(at: int, line: Any) -> Callable[[Board], Lines]:
    return lambda b: [*whole(b)[:at], line, *whole(b)[at:]]


def doubled(at: int) -> Callable[[Board], Lines]:
    return lambda b: [*whole(b)[: at + 1], *whole(b)[at:]]


def recomputed(b: Board) -> Lines:
    true = b.signed(b.links(), SEALED)
    forged: list[Any] = []
    for link in b.links():
        text = "위조" if link.seq == 5 else link.log_content
        previous = forged[-1].current_hash if forged else b.chain.ORIGIN
        fresh = replace(link, log_content=text, previous_hash=previous)
        forged.append(replace(fresh, current_hash=fresh.hash()))
    return b.export(forged, true)


def signed_by_another(b: Board) -> Lines:
    links = b.links()
    return b.export(links, b.signed(links, SEALED, OTHER))


def signed_with_our_fingerprint(b: Board) -> Lines:
    """Sign with another key but name our key's fingerprint."""
    links, made = b.links(), []
    ours = b.checkpoint.fingerprint(b.key().public_key())
    for c in b.signed(links, SEALED):
        named = replace(c, key=ours)
        made.append(replace(named, signature=b.key(OTHER).sign(named.signed_bytes()).hex()))
    return b.export(links, made)


def signed_again(**changes: Any) -> Callable[[Board], Lines]:
    """Change the second checkpoint and sign it with the right key."""

    def attack(b: Board) -> Lines:
        links = b.links()
        made = b.signed(links, SEALED)
        made[1] = b.checkpoint.sign(replace(made[1], **changes), b.key())
        lines = b.export(links, [made[0], made[2]])
        lines.insert(8, {"checkpoint": made[1].to_dict()})
        lines[-1]["end"]["checkpoints"] = 3
        return lines

    return attack


def timed(b: Board) -> Lines:
    """Give two entries the same time, with recomputed hashes and signatures."""
    links: list[Any] = []
    for link in b.links():
        at = START + timedelta(seconds=3) if link.seq == 4 else link.created_at
        previous = links[-1].current_hash if links else b.chain.ORIGIN
        fresh = replace(link, created_at=at, previous_hash=previous)
        links.append(replace(fresh, current_hash=fresh.hash()))
    return b.export(links, b.signed(links, SEALED))


def unsealed(b: Board) -> Lines:
    links = b.links()
    return b.export(links, b.signed(links, (3, 6)))


D1, D2 = (Ed25519PrivateKey.generate() for _ in range(2))
Special = Callable[[Board, str], tuple[str, dict[str, Any]]]
"""An entry's kind and detail, from the hash of the entry before it."""


def announced(
    by: str = PEM, successor: str = OTHER, use: str = "record", **changes: object
) -> Special:
    """Return the entry with which a checkpoint key announces another."""

    def made(b: Board, _: str) -> tuple[str, dict[str, Any]]:
        said = b.signers.build_announcement(use, b.key(by), b.key(successor).public_key())
        return "key_succeeded", {**said, **changes}

    return made


def replaced(
    by: Ed25519PrivateKey = D1, successor: Ed25519PrivateKey = D2, **changes: str
) -> Special:
    """Return the same for decision keys."""
    return lambda b, _: (
        "key_succeeded",
        {**b.signers.build_announcement("decisions", by, successor.public_key()), **changes},
    )


def decided(key: Ed25519PrivateKey = D1, kind: str = "approved", **changes: Any) -> Special:
    """Return a decision on task 7 with `changes` of signed fields and without the field `lost`."""
    lost = changes.pop("lost", "")

    def made(b: Board, before: str) -> tuple[str, dict[str, Any]]:
        said = {"task": 7, "verdict": "approve", "chain_head": before, **changes}
        signature = key.sign(b.signers.statement_bytes(said)).hex()
        sealed = {
            "statement": said,
            "signature": signature,
            "key": b.signers.public_hex(key.public_key()),
        }
        return kind, {name: value for name, value in sealed.items() if name != lost}

    return made


TURN: dict[int, Special] = {2: decided(), 5: announced(), 6: replaced(), 8: decided(D2)}
BY = (PEM, PEM, OTHER)


def turned(
    special: dict[int, Special] | None = None, by: tuple[str, ...] = BY, root: str | None = PEM
) -> Callable[[Board], Lines]:
    """Return a log in which both keys are rotated; `special` are the entries that differ."""

    def made(b: Board) -> Lines:
        links: list[Any] = []
        for plain in b.links():
            before = links[-1].current_hash if links else b.chain.ORIGIN
            kind, detail = plain.kind, plain.detail
            if plain.seq in (found := {**TURN, **(special or {})}):
                kind, detail = found[plain.seq](b, before)
            task = 7 if "statement" in detail else None
            fresh = replace(plain, kind=kind, detail=detail, previous_hash=before, task_id=task)
            links.append(replace(fresh, current_hash=fresh.hash()))
        signed: list[Any] = []
        for size, pem in zip(SEALED, by, strict=True):
            previous = signed[-1].identity() if signed else b.chain.ORIGIN
            at = START + timedelta(minutes=size)
            head = links[size - 1].current_hash
            given = b.checkpoint.Checkpoint("main", size, head, at, previous)
            signed.append(b.checkpoint.sign(given, b.key(pem)))
        lines = b.export(links, signed)
        if root is not None:
            lines[0]["export"]["root"] = b.signers.public_hex(b.key(root).public_key())
        return lines

    return made


def plain(b: Board, _: str) -> tuple[str, dict[str, Any]]:
    return "comment", {}


F = "f" * 64
KEYS: dict[str, tuple[Callable[[Board], Lines], Outcome]] = {
    "keys are replaced": (turned(), (None, None, None, 9, 9)),
    "keys are replaced, no root": (turned(root=None), (None, None, None, 9, 9)),
    "a root that is none": (
        lambda b: [{"export": {**turned()(b)[0]["export"], "root": "x"}}, *turned()(b)[1:]],
        (None, None, None, 9, 9),
    ),
    "handed over twice": (
        turned({4: announced(), 5: plain, 7: announced(OTHER, PEM)}, (PEM, PEM, OTHER)),
        (None, None, None, 9, 9),
    ),
    "never announced": (turned({5: plain}), (None, 9, "key", 9, 6)),
    "the old key goes on": (turned(by=(PEM, PEM, PEM)), (None, 9, "key", 9, 6)),
    "the new key seals itself": (turned(by=(PEM, OTHER, OTHER)), (None, 6, "key", 6, 3)),
    "announced by the new key": (turned({5: announced(OTHER)}), (5, None, "succession", 4, 3)),
    "announced by nobody": (turned({5: announced(signature="")}), (5, None, "succession", 4, 3)),
    "signature is no text": (turned({5: announced(signature=7)}), (5, None, "succession", 4, 3)),
    "another key put in": (turned({5: announced(public=F)}), (5, None, "succession", 4, 3)),
    "for something else": (turned({5: announced(use="x")}), (5, None, "succession", 4, 3)),
    "two heirs": (turned({4: announced(successor=PEM)}), (5, None, "succession", 4, 3)),
    "an old announcement again": (turned({9: announced()}), (9, None, "succession", 8, 6)),
    "heir of decisions for the record": (
        turned({5: lambda b, _: ("key_succeeded", {**replaced()(b, "")[1], "use": "record"})}),
        (5, None, "succession", 4, 3),
    ),
    "decisions announced by another": (
        turned({6: replaced(D2, D1)}),
        (6, None, "succession", 5, 3),
    ),
    "decisions never announced": (turned({6: plain}), (8, None, "seal", 7, 6)),
    "the old key decides": (turned({8: decided(D1)}), (8, None, "seal", 7, 6)),
    "decided for another task": (turned({2: decided(task=8)}), (2, None, "seal", 1, 0)),
    "moved from elsewhere": (turned({2: decided(chain_head=F)}), (2, None, "seal", 1, 0)),
    **{
        f"decision without {name}": (turned({2: decided(lost=name)}), (2, None, "seal", 1, 0))
        for name in ("statement", "signature", "key")
    },
    "another kind without a true seal": (
        turned({2: decided(kind="forced", lost="signature")}),
        (2, None, "seal", 1, 0),
    ),
    "another kind with one": (turned({2: decided(kind="forced")}), (None, None, None, 9, 9)),
}
ATTACKS: dict[str, tuple[Callable[[Board], Lines], Outcome]] = {
    "nothing": (whole, (None, None, None, 9, 9)),
    **KEYS,
    "empty": (lambda b: b.export([], []), (None, None, None, 0, 0)),
    **{
        f"entry {name}={value!r:.20}": (entry_changed(name, value), (5, None, fault, 4, 3))
        for name, value, fault in (
            ("seq", 99, "gap"),
            ("created_at", canonical.to_microseconds(START) + 5_000_001, "content"),
            ("created_at", 1, "time"),
            ("actor", "x", "content"),
            ("kind", "x", "content"),
            ("sr_id", 77, "content"),
            ("task_id", 77, "content"),
            ("log_content", "x", "content"),
            ("detail", {"n": 6}, "content"),
            ("detail", {"n": 5.0}, "content"),
            ("previous_hash", F, "link"),
            ("current_hash", F, "content"),
            ("seq", "5", "format"),
            ("seq", True, "format"),
            ("created_at", 10**30, "format"),
            ("sr_id", "2", "format"),
            ("detail", [], "format"),
            ("more", 1, "format"),
        )
    },
    "one moment": (timed, (4, None, "time", 3, 3)),
    "first away": (without(1), (1, None, "gap", 0, 0)),
    "middle away": (without(5, 6), (4, None, "gap", 3, 3)),
    "last away": (without(11), (9, None, "tail", 8, 6)),
    "tail away": (without(12, 13), (10, None, "tail", 9, 6)),
    "end away": (without(13), (10, None, "tail", 9, 9)),
    "tail away, end forged": (
        without(9, 10, 11, 12, end={"entries": 9, "checkpoints": 3}),
        (7, None, "tail", 6, 6),
    ),
    "checkpoint away": (without(8), (None, 9, "previous", 9, 3)),
    "first checkpoint away": (without(4), (None, 6, "previous", 6, 0)),
    "last checkpoint away": (
        without(12, end={"entries": 9, "checkpoints": 2}),
        (7, None, "unsealed", 9, 6),
    ),
    "checkpoints miscounted": (
        without(end={"entries": 9, "checkpoints": 2}),
        (10, None, "tail", 9, 9),
    ),
    "entries miscounted": (
        without(end={"entries": 8, "checkpoints": 3}),
        (10, None, "tail", 9, 9),
    ),
    "doubled": (doubled(6), (6, None, "gap", 5, 3)),
    "swapped": (swapped(6, 7), (5, None, "gap", 4, 3)),
    "checkpoint early": (swapped(7, 8), (6, None, "tail", 5, 3)),
    # An entry in the wrong place is not read.
    "checkpoint late": (swapped(8, 9), (6, None, "rewritten", 3, 3)),
    "checkpoint replayed": (doubled(8), (None, 6, "order", 6, 6)),
    "recomputed": (recomputed, (6, None, "rewritten", 3, 3)),
    "another key": (signed_by_another, (None, 3, "key", 3, 0)),
    "another key, our name": (signed_with_our_fingerprint, (None, 3, "signature", 3, 0)),
    **{
        f"checkpoint {name}={value!r:.20}": (
            checkpoint_changed(name, value),
            (None, size, fault, 6, 3),
        )
        for name, value, size, fault in (
            ("chain", "x", 6, "chain"),
            ("size", 5, 5, "signature"),
            ("head", F, 6, "signature"),
            ("time", 1, 6, "signature"),
            ("previous", F, 6, "signature"),
            ("key", F, 6, "key"),
            ("signature", F, 6, "signature"),
            ("signature", "zz", 6, "signature"),
        )
    },
    **{
        f"checkpoint line {name}": (checkpoint_changed(name, value), (7, None, "format", 6, 3))
        for name, value in (("size", True), ("head", 1), ("time", 10**30), ("more", 1))
    },
    "signed: other head": (signed_again(head=F), (6, None, "rewritten", 3, 3)),
    "signed: other size": (signed_again(size=5), (5, None, "rewritten", 3, 3)),
    "signed: beyond": (signed_again(size=7), (7, None, "tail", 6, 3)),
    "signed: same size": (signed_again(size=3), (None, 3, "order", 6, 3)),
    "signed: earlier": (signed_again(time=START), (None, 6, "order", 6, 3)),
    "signed: same time": (
        signed_again(time=START + timedelta(minutes=3)),
        (None, 6, "order", 6, 3),
    ),
    "signed: other series": (signed_again(previous=F), (None, 6, "previous", 6, 3)),
    "signed: other chain": (signed_again(chain="x"), (None, 6, "chain", 6, 3)),
    "no export line": (without(0), (1, None, "format", 0, 0)),
    "other format": (
        lambda b: [{"export": {"format": "x", "chain": "main"}}, *whole(b)[1:]],
        (1, None, "format", 0, 0),
    ),
    "format is no object": (lambda b: [{"export": 1}, *whole(b)[1:]], (1, None, "format", 0, 0)),
    "other name of the first line": (
        lambda b: [{"exported": whole(b)[0]["export"]}, *whole(b)[1:]],
        (1, None, "format", 0, 0),
    ),
    "unknown line": (put(6, {"x": 1}), (5, None, "format", 4, 3)),
    "two in one line": (
        lambda b: [*whole(b)[:7], {**whole(b)[7], **whole(b)[8]}, *whole(b)[9:]],
        (6, None, "format", 5, 3),
    ),
    "no object": (put(6, [1]), (5, None, "format", 4, 3)),
    "entry is no object": (put(6, {"entry": 1}), (5, None, "format", 4, 3)),
    "checkpoint is no object": (put(8, {"checkpoint": [1]}), (7, None, "format", 6, 3)),
    "nothing at all": (lambda _: [], (1, None, "tail", 0, 0)),
}
MORE = {
    "not JSON": (b"{\n", (10, None, "format", 9, 9)),
    "not text": (b"\xff\n", (10, None, "format", 9, 9)),
    "deep": (b"[" * 100_000 + b"\n", (10, None, "format", 9, 9)),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_on_an_export(name: str) -> None:
    attack, expected = ATTACKS[name]
    assert outcome(board().verify(attack(board()))) == expected


# With the second key as the only trusted one, its checkpoints cover the log from the first entry.
TRUSTED: dict[str, tuple[Callable[[Board], Lines], Outcome]] = {
    "signed by it at last": (turned(), (None, None, None, 9, 9)),
    "no root": (turned(root=None), (None, 3, "key", 3, 0)),
    "announced, and signed nothing": (
        turned({5: plain, 8: plain, 6: plain, 9: announced()}, (PEM, PEM, PEM)),
        (None, 9, "key", 9, 9),
    ),
    "not its record": (
        turned({5: plain, 8: plain, 6: plain}, (PEM, PEM, PEM)),
        (None, 9, "key", 9, 9),
    ),
}


def trusted(b: Board) -> None:
    for name, (_, expected) in TRUSTED.items():
        found = b.verify(SECOND[name], pem=OTHER)
        assert (found.bad, found.checkpoint, found.fault) == expected[:3], name


def test_any_key_of_the_succession_can_be_the_trusted_one() -> None:
    trusted(board())


@pytest.mark.parametrize("name", MORE)
def test_files_that_are_no_export(name: str) -> None:
    more, expected = MORE[name]
    b = board()
    assert outcome(b.verify(whole(b)[:-1], more)) == expected
    # Nothing may follow the end.
    assert outcome(b.verify(whole(b), more)) == expected


def series(b: Board) -> None:
    """Walk a database with entries and with heads from two witnesses."""
    links = b.links()
    made = b.signed(links, SEALED)

    def walk(given: list[Any], signed: list[Any], before: Any = None, **more: Any) -> Outcome:
        witnessed_heads = list(b.checkpoint.witnessed_heads(signed, "main", b.line(), before))
        return outcome(b.chain.verify(given, witnessed_heads=witnessed_heads, **more))

    assert walk(links, made, size=9, head=links[8].current_hash) == (None, None, None, 9, 9)
    assert walk(links, [], size=9) == (None, None, None, 9, 0)
    assert walk(links, made, size=8) == (10, None, "tail", 9, 9)
    assert walk(links, made, head=F) == (10, None, "tail", 9, 9)
    assert walk(links[:8], made) == (9, None, "tail", 8, 6)
    assert walk(links[:5], made) == (6, None, "tail", 5, 3)
    start = b.chain.ChainPosition(3, links[2].current_hash, links[2].created_at)
    assert walk(links[3:], made[1:], made[0], start=start) == (None, None, None, 9, 9)
    assert walk(links[4:], made[1:], made[0], start=start) == (4, None, "gap", 3, 0)
    assert walk(links, [made[0], made[2]]) == (None, 9, "previous", 9, 3)
    # Heads after the first invalid checkpoint are ignored.
    found = list(b.checkpoint.witnessed_heads(made, "x", b.line()))
    assert [(m.size, m.fault, m.witness) for m in found] == [(3, "chain", "checkpoint")]
    memory = b.chain.WitnessedHead(5, links[4].current_hash, "memory")
    found = b.chain.verify(links, witnessed_heads=[memory])
    assert (outcome(found), found.witness) == ((None, None, None, 9, 0), None)
    found = b.chain.verify(links, witnessed_heads=[replace(memory, head=F)])
    assert (outcome(found), found.witness) == ((5, None, "rewritten", 0, 0), "memory")
    found = b.chain.verify(links[:4], witnessed_heads=[memory])
    assert (outcome(found), found.witness) == ((5, None, "tail", 4, 0), "memory")
    found = b.chain.verify(links, witnessed_heads=[replace(memory, fault="key")])
    assert (outcome(found), found.witness) == ((None, 5, "key", 5, 0), "memory")
    assert b.chain.verify(links).head == links[8].current_hash


def succession(b: Board) -> None:
    """Check the database's checkpoints and decisions after key rotations."""
    lines = SECOND["signed by it at last"]
    links = [b.verifier.parse_entry(line["entry"]) for line in lines if "entry" in line]
    signed = [
        b.checkpoint.parse_checkpoint(line["checkpoint"]) for line in lines if "checkpoint" in line
    ]
    said = [(5, links[4].detail)]

    def found(given: list[tuple[int, Any]], series: Any = None, before: Any = None) -> Any:
        witnessed_heads = b.checkpoint.witnessed_heads(
            series or signed, "main", b.line(), before, given
        )
        return [(m.size, m.witness, m.fault) for m in witnessed_heads]

    good = [(size, "checkpoint", None) for size in SEALED]
    assert found(said) == good
    assert found(said, signed[1:], signed[0]) == good[1:]
    assert found([]) == [*good[:2], (9, "checkpoint", "key")]
    forged = {**links[4].detail, "public": "00" * 32}
    assert found([(5, forged)]) == [good[0], (5, "checkpoint", "succession")]
    # At the very end of the signed part, and beyond it.
    assert found([(6, said[0][1])]) == good
    assert found(said, signed[:1]) == good[:1]
    assert found([(5, forged)], signed[:1]) == [good[0], (5, "checkpoint", "succession")]
    seals = b.signers.DecisionSignatureChecker()
    assert list(seals.watch(links)) == links
    assert seals.first_broken is None
    seals = b.signers.DecisionSignatureChecker()
    assert len(list(seals.watch([links[1], *links[6:], links[7]]))) == 5
    assert seals.first_broken == (8, "seal")


def test_a_walk_over_the_database() -> None:
    series(board())
    succession(board())


def everything(b: Board) -> None:
    """Run all attacks against one set of modules; any error kills the mutant.

    The attacker's files are built by the original modules: a mutant must judge genuine bytes.
    """
    for name, (attack, expected) in ATTACKS.items():
        assert outcome(b.verify(LINES[name])) == expected, (name, attack)
    for more, expected in MORE.values():
        assert outcome(b.verify(LINES["nothing"][:-1], more)) == expected
        assert outcome(b.verify(LINES["nothing"], more)) == expected
    found = b.verifier.report(b.verify(LINES["recomputed"]), b.key().public_key())
    assert (found["verdict"], found["intact"]) == ("detected at entry 6: rewritten", False)
    found = b.verifier.report(b.verify(LINES["another key"]), b.key().public_key())
    assert found["verdict"] == "detected at checkpoint 3: key"
    found = b.verifier.report(b.verify(LINES["nothing"]), b.key().public_key())
    assert (found["verdict"], found["intact"]) == ("intact", True)
    assert found["key"] == checkpoint.fingerprint(checkpoint.load_private_key(PEM).public_key())
    series(b)
    trusted(b)
    succession(b)


SECOND = {name: attack(board()) for name, (attack, _) in TRUSTED.items()}
LINES = {name: attack(board()) for name, (attack, _) in ATTACKS.items()}
MUTATED = {
    "guardia.board.audit.chain": {"verify", "_fault", "ChainWalk", "ChainVerdict"},
    "guardia.board.audit.signing_keys": {
        "KeySuccession",
        "DecisionSignatureChecker",
        "is_genuine",
        "parse_public_key",
        "_is_signature_valid",
    },
    "guardia.board.audit.checkpoint": {
        "find_fault",
        "witnessed_heads",
        "_is_signature_valid",
        "parse_checkpoint",
        "signed_bytes",
    },
    "guardia.board.audit.verifier": {
        "ExportReader",
        "parse_entry",
        "verify_export",
        "_open_export",
        "_lines",
        "report",
    },
}


@pytest.mark.slow
def test_mutants_of_the_verifier_are_killed() -> None:
    names = list(MUTATED)
    paths = [ROOT / "board" / "audit" / f"{name.rpartition('.')[2]}.py" for name in names]
    modules = ModuleSet(names, paths)
    with modules.mutated(names[0], None) as made:
        everything(Board(*made))
    survivors, count = [], 0
    for name, path in zip(names, paths, strict=True):
        for mutant in mutants(path, MUTATED[name]):
            count += 1
            try:
                with cpu_time_limit(2), modules.mutated(name, mutant.tree) as made:
                    everything(Board(*made))
            except Exception:
                continue
            survivors.append(mutant.name)
    print(f"{count} mutants, {len(survivors)} survive: {survivors}")
    assert count > 150
    assert 1 - len(survivors) / count >= 0.9, survivors


@pytest.mark.slow
def test_it_runs_alone(tmp_path: Path) -> None:
    b = board()
    file, pub = tmp_path / "export.jsonl", tmp_path / "key.pub"
    pub.write_text(checkpoint.public_pem(b.key().public_key()))
    program = [sys.executable, "-m", "guardia.board.audit.verifier"]

    def run(lines: Lines, *more: str) -> tuple[int, str]:
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = subprocess.run(
            [*program, str(file), *more], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    code, said = run(whole(b), str(pub))
    assert (code, json.loads(said)["verdict"]) == (0, "intact")
    code, said = run(recomputed(b), str(pub))
    assert (code, json.loads(said)["verdict"]) == (1, "detected at entry 6: rewritten")
    assert run(whole(b))[0] == 2
    assert run(whole(b), str(tmp_path / "none"))[0] == 2
