"""Verify an exported audit log offline: `python -m guardia.board.audit.verifier FILE PUB`.

It needs no database, no settings and nothing of GUARDiA but the chain and its checkpoints, so an
auditor need not trust the installation that wrote the log. FILE is an export by `guardia audit
export`; PUB is a public key of the checkpoints, saved at a time that is trusted: keys that it has
announced are followed, others refused.

Prints one line of JSON; exit code 0, or 1 with the first bad entry or checkpoint. Memory use does
not grow with the file.

An export is one JSON object per line: `{"export": ...}`, then each `{"entry": ...}` in order with
each `{"checkpoint": ...}` right after the last entry that it covers, then `{"end": ...}`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from guardia.board.audit import checkpoint as checkpoints
from guardia.board.audit.canonical import from_microseconds
from guardia.board.audit.chain import ChainEntry, ChainVerdict, ChainWalk, WitnessedHead
from guardia.board.audit.checkpoint import Checkpoint, fingerprint
from guardia.board.audit.passkey_signatures import PasskeyChecker
from guardia.board.audit.signing_keys import (
    CHECKPOINT_KEYS,
    DECISION_KEYS,
    SUCCESSION_KIND,
    DecisionSignatureChecker,
    KeySuccession,
    parse_public_key,
    public_hex,
)

FORMAT = "guardia.audit.export.v1"
_LINE = 64 * 1024 * 1024
"""Bytes; far longer than any entry."""
_NUMBER = (int, type(None))
_ENTRY = {
    "seq": (int,), "created_at": (int,), "actor": (str,), "kind": (str,), "sr_id": _NUMBER,
    "task_id": _NUMBER, "log_content": (str,), "detail": (dict,), "previous_hash": (str,),
    "current_hash": (str,),
}  # fmt: skip


class ExportReader:
    """An export in the course of being read, line by line.

    `root` is the first key according to the export, if that is not the trusted one; the trusted
    key must then be a successor of it and have signed a checkpoint.
    """

    def __init__(
        self, chain: str, key: Ed25519PublicKey, root: Ed25519PublicKey | None = None
    ) -> None:
        self._chain, self._trusted = chain, public_hex(key)
        self._walk = ChainWalk()
        self._succession, self._signature_checker = (
            KeySuccession(CHECKPOINT_KEYS, root or key),
            DecisionSignatureChecker(),
        )
        self._passkey_checker = PasskeyChecker()
        self._before: Checkpoint | None = None
        self._checkpoints = 0
        self._vouched = root is None

    def read_line(self, name: str, value: Any) -> ChainVerdict | None:
        """Check the next line. Returns a verdict if it is the last one or bad."""
        if name == "entry":
            return self._entry(parse_entry(value))
        if name == "checkpoint":
            return self._checkpoint(checkpoints.parse_checkpoint(value))
        if name == "end":
            return self._end(value)
        raise ValueError("not a line of an export")

    def failed_verdict(self, fault: str) -> ChainVerdict:
        """Return the verdict for a next line that is unreadable or missing."""
        position, sealed = self._walk.position, self._walk.sealed
        return ChainVerdict(position.size, position.head, position.size + 1, fault, sealed=sealed)

    def _entry(self, entry: ChainEntry) -> ChainVerdict | None:
        found = self._walk.check_entry(entry)
        if found is not None:
            return found
        fault = self._signature_checker.fault(entry)
        if entry.kind == SUCCESSION_KIND and entry.detail.get("use") != DECISION_KEYS:
            fault = None if self._succession.accept_successor(entry.detail) else "succession"
        if fault is None:
            fault = None if self._passkey_checker.is_valid(entry) else "passkey"
        if fault is None:
            return None
        sealed = self._walk.sealed
        return ChainVerdict(entry.seq - 1, entry.previous_hash, entry.seq, fault, sealed=sealed)

    def _checkpoint(self, given: Checkpoint) -> ChainVerdict | None:
        key = self._succession.key
        wrong = checkpoints.find_fault(given, self._before, self._chain, key)
        self._before, self._checkpoints = given, self._checkpoints + 1
        found = self._walk.check_witnessed(
            WitnessedHead(given.size, given.head, "checkpoint", wrong)
        )
        if found is None:
            self._vouched = self._vouched or (key is not None and public_hex(key) == self._trusted)
            self._succession.switch_to_successor()
        return found

    def _end(self, value: Any) -> ChainVerdict:
        position, sealed = self._walk.position, self._walk.sealed
        expected = {"entries": position.size, "checkpoints": self._checkpoints}
        if value != expected:
            return self.failed_verdict("tail")
        if sealed < position.size:
            # Nothing signed covers these entries: the author of the file may have invented them.
            return ChainVerdict(position.size, position.head, sealed + 1, "unsealed", sealed=sealed)
        if not self._vouched:
            # Another key began this log, and the trusted key has signed no part of it.
            return ChainVerdict(
                position.size, position.head, None, "key", "checkpoint", position.size
            )
        return self._walk.end()


def parse_entry(value: Any) -> ChainEntry:
    """Return the entry in parsed JSON. Raises `ValueError` if it is malformed."""
    if not isinstance(value, Mapping) or value.keys() != _ENTRY.keys():
        raise ValueError("not an entry")
    if any(type(value[name]) not in kinds for name, kinds in _ENTRY.items()):
        raise ValueError("not an entry")
    return ChainEntry(**{**value, "created_at": from_microseconds(value["created_at"])})


def verify_export(file: BinaryIO, key: Ed25519PublicKey) -> ChainVerdict:
    """Walk an export and return the first bad entry or checkpoint."""
    reader, first = ExportReader("", key), True
    try:
        for name, value in _lines(file):
            if first:
                reader, first = _open_export(name, value, key), False
                continue
            found = reader.read_line(name, value)
            if found is not None:
                return (
                    found if name != "end" or not file.read(1) else reader.failed_verdict("format")
                )
    except (ValueError, OverflowError, RecursionError):
        return reader.failed_verdict("format")
    return reader.failed_verdict("tail")


def _open_export(name: str, value: Any, key: Ed25519PublicKey) -> ExportReader:
    if name != "export" or not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ValueError("not an export")
    root = value.get("root")
    first = parse_public_key(root) if isinstance(root, str) else None
    return ExportReader(str(value.get("chain")), key, first)


def _lines(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    while line := file.readline(_LINE):
        value = json.loads(line.decode("utf-8"))
        if not isinstance(value, dict) or len(value) != 1:
            raise ValueError("not a line of an export")
        yield from value.items()


def report(verdict: ChainVerdict, key: Ed25519PublicKey) -> dict[str, Any]:
    """Return a verdict as JSON-compatible values."""
    if verdict.bad is not None:
        sentence = f"detected at entry {verdict.bad}: {verdict.fault}"
    elif verdict.fault is not None:
        sentence = f"detected at checkpoint {verdict.checkpoint}: {verdict.fault}"
    else:
        sentence = "intact"
    found = {"verdict": sentence, "intact": verdict.intact, **asdict(verdict)}
    return {**found, "key": fingerprint(key)}


def main(arguments: list[str]) -> int:
    """Verify FILE with PUB. Returns 0 if intact, 1 if not, 2 for wrong arguments."""
    if len(arguments) != 2:
        sys.stderr.write("python -m guardia.board.audit.verifier FILE PUB\n")
        return 2
    file, pub = (Path(a) for a in arguments)
    try:
        key = checkpoints.load_public_key(pub.read_text("ascii"))
        with file.open("rb") as opened:
            verdict = verify_export(opened, key)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(report(verdict, key)) + "\n")
    return 0 if verdict.intact else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
