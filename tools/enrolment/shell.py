"""Shell functions of the reads that gather facts, and the reader of what they print.

Each line is printed behind the name of its section, so that nothing a server says can pretend to be
another section. Every part is bounded in time and lines; a part that fails says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

MAX_LINES: Final = 4000

SECTIONS: Final = r"""
set +e
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
emit() {
  local section=$1 line count=0
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\t%s\n' "$section" "${line:0:2000}"
    count=$((count + 1))
    [ "$count" -lt 1500 ] || break
  done
}
failed() { printf 'failed\t%s\n' "$1"; }
limit() {
  local seconds=$1 child watch status
  shift
  if type -P timeout >/dev/null; then timeout "$seconds" "$@" </dev/null; return; fi
  "$@" </dev/null &
  child=$!
  { sleep "$seconds"; kill -9 "$child"; } >/dev/null 2>&1 &
  watch=$!
  wait "$child"
  status=$?
  kill "$watch" 2>/dev/null
  return "$status"
}
"""


class Sections:
    """What a script printed, by section."""

    def __init__(self, text: str) -> None:
        self._lines: defaultdict[str, list[str]] = defaultdict(list)
        for line in text.splitlines()[:MAX_LINES]:
            name, tab, rest = line.partition("\t")
            if tab:
                self._lines[name].append(rest)

    def lines(self, name: str) -> list[str]:
        """Return the lines of a section."""
        return self._lines[name]

    def first(self, name: str) -> str:
        """Return the first line of a section, or an empty text."""
        return self._lines[name][0].strip() if self._lines[name] else ""

    def failed(self) -> list[str]:
        """Return the parts that could not be read."""
        return sorted({word.strip()[:100] for word in self._lines["failed"] if word.strip()})

    def rows(self, name: str, columns: int) -> Iterator[list[str]]:
        """Yield the lines of a section with at least so many words."""
        for line in self._lines[name]:
            words = line.split()
            if len(words) >= columns:
                yield words
