"""An Ansible inventory as groups with hosts, children and variables. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from guardia.board.cmdb.changes import MAX_PROBLEMS, BadLine, bad_line
from guardia.board.cmdb.imports.host_ranges import BadRange, expand

MAX_HOSTS = 200_000
TOP = ("all", "ungrouped")
"""Groups that every inventory has."""


@dataclass
class InventoryGroup:
    """One group."""

    line: int
    hosts: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass
class AnsibleInventory:
    """All groups and hosts of a file."""

    groups: dict[str, InventoryGroup] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Each host's own variables."""
    everywhere: dict[str, Any] = field(default_factory=dict)
    """Variables of all hosts, which any other wins over."""
    lines: dict[str, int] = field(default_factory=dict)
    """The line on which each host is first named."""
    problems: list[BadLine] = field(default_factory=list)
    bad: int = 0

    def refuse(self, line: int, key: str, **values: object) -> None:
        """Note a bad line."""
        self.bad += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(bad_line(line, key, **values))

    def group(self, name: str, line: int) -> InventoryGroup:
        """Return a group, which is made when it is first named."""
        return self.groups.setdefault(name, InventoryGroup(line))

    def add_hosts(self, group: str, pattern: str, line: int, variables: dict[str, Any]) -> None:
        """Add the hosts of a pattern to a group."""
        try:
            names = expand(pattern)
        except BadRange:
            self.refuse(line, "host_range", value=pattern[:60])
            return
        if len(self.hosts) + len(names) > MAX_HOSTS:
            self.refuse(line, "host_count", most=MAX_HOSTS)
            return
        place = self.group(group, line)
        for name in names:
            self.hosts.setdefault(name, {}).update(variables)
            self.lines.setdefault(name, line)
            place.hosts.append(name)

    def parents(self) -> dict[str, list[str]]:
        """Return the groups that have each group as a child."""
        found: dict[str, list[str]] = {}
        for name, group in self.groups.items():
            for child in group.children:
                found.setdefault(child, []).append(name)
        return found

    def circle(self) -> str | None:
        """Return a group that is below itself, or `None`."""
        done: set[str] = set()
        for start in self.groups:
            trail: list[tuple[str, Iterator[str]]] = [(start, self._children(start))]
            above = {start}
            while trail:
                name, rest = trail[-1]
                child = next((c for c in rest if c not in done), None)
                if child is None:
                    trail.pop()
                    above.discard(name)
                    done.add(name)
                elif child in above:
                    return child
                else:
                    above.add(child)
                    trail.append((child, self._children(child)))
        return None

    def _children(self, name: str) -> Iterator[str]:
        group = self.groups.get(name)
        return iter(group.children if group else ())

    def groups_of_hosts(self) -> dict[str, list[str]]:
        """Return each host's groups, the outermost first: later ones win."""
        parents, depth = self.parents(), self._depths()
        above: dict[str, set[str]] = {}

        def ancestors(name: str) -> set[str]:
            if name not in above:
                above[name] = {name}
                for parent in parents.get(name, ()):
                    above[name] |= ancestors(parent)
            return above[name]

        direct: dict[str, set[str]] = {host: set() for host in self.hosts}
        for name in sorted(self.groups, key=lambda n: depth[n]):
            for host in self.groups[name].hosts:
                direct[host] |= ancestors(name)
        return {h: sorted(found, key=lambda n: (depth[n], n)) for h, found in direct.items()}

    def _depths(self) -> dict[str, int]:
        """Return how far below the top each group is; there is no circle."""
        depth = {name: 0 if name == "all" else 1 for name in self.groups}
        changed = True
        while changed:
            changed = False
            for name, group in self.groups.items():
                for child in group.children:
                    if depth.get(child, 0) < depth[name] + 1:
                        depth[child], changed = depth[name] + 1, True
        return depth
