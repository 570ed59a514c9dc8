"""Triage of the embedded brain: kind, category, priority, servers and requested work.

Rules over Korean morphemes and a lexicon of the field; no model, no network. Every result carries
the words that led to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict, Field

from guardia.agents.brain.triage import rules
from guardia.agents.brain.triage.deciding import decide
from guardia.agents.brain.triage.facts import RequestFacts
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.agents.brain.triage.names import index_of
from guardia.agents.brain.triage.reading import read_request
from guardia.agents.brain.triage.servers import ServerMention, find_mentions
from guardia.agents.brain.triage.text import addresses_machine, strip_noise
from guardia.i18n import t
from guardia.org.directory import Directory
from guardia.text import hide_lookalikes

_MASK = "SRV"
"""Replaces a named server, in the lexicon's patterns as well."""


class Triage(BaseModel):
    """A classified request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    """`INCIDENT REQUEST CHANGE QUESTION`."""
    category: str
    """`DB WAS WEB SECURITY NETWORK STORAGE OS DEPLOY ACCOUNT BACKUP GENERAL`."""
    priority: str
    """`P1` (down for many, breach) to `P4` (can wait)."""
    servers: tuple[str, ...] = ()
    """Ids of the named servers, in the order of the text."""
    action_type: str | None = None
    """The work that the text itself requests: `RESTART DEPLOY …`."""
    institution: str | None = None
    """Institution of the first named server, or failing that the one that the text names."""
    reasons: tuple[str, ...] = ()
    """Korean sentences: which words led to which result."""
    unsure: tuple[str, ...] = Field(default=(), exclude=True)
    """`kind`, `category`, `priority`: those for which the text has no evidence."""
    symptoms: tuple[str, ...] = Field(default=(), exclude=True)
    """What is wrong now: `down slow error full attack breach …`."""


def triage(text: str, directory: Directory) -> Triage:
    """Classify the untrusted `text`, ignoring words that address the machine."""
    words = lexicon()
    own = strip_noise(hide_lookalikes(text), words.injection_patterns)
    mentions = find_mentions(own, directory)
    servers = tuple(dict.fromkeys(m.server_id for m in mentions))
    hosts = index_of(directory).hosts
    facts = _facts(own, mentions, directory)
    decided = decide(facts)
    kind, category, priority = decided.kind, decided.category, decided.priority
    named = index_of(directory).institution_in(own)
    institution = hosts[servers[0]].institution if servers else named
    return Triage(
        kind=kind.value,
        category=category.value,
        priority=priority.value,
        servers=servers,
        action_type=facts.action,
        institution=institution,
        reasons=(
            _reason(kind, "kind"),
            _reason(category, "category"),
            _reason(priority),
            *_server_reasons(own, mentions, facts),
            *(
                [t("triage.named.unheard")]
                if addresses_machine(text, words.injection_patterns)
                else []
            ),
        ),
        unsure=tuple(
            name
            for name, found in (("kind", kind), ("category", category), ("priority", priority))
            if not found.sure
        ),
        symptoms=facts.symptoms,
    )


def facts_of(text: str, directory: Directory) -> RequestFacts:
    """Return the facts of a request, from which its rules and weights decide."""
    words = lexicon()
    own = strip_noise(text, words.injection_patterns)
    return _facts(own, find_mentions(own, directory), directory)


def _facts(own: str, mentions: list[ServerMention], directory: Directory) -> RequestFacts:
    hosts, words = index_of(directory).hosts, lexicon()
    named = dict.fromkeys(m.server_id for m in mentions)
    reading = read_request(_masked(own, mentions), words)
    return RequestFacts(reading, words, [hosts[s].kind for s in named])


def relevant_text(text: str) -> str:
    """Return a request without quotations, courtesies, and words that address the machine.

    Searches and parameters use this text only.
    """
    return strip_noise(text, lexicon().injection_patterns)


def mentioned_servers(talk: Iterable[str], directory: Directory) -> tuple[str, ...]:
    """Return the servers named in the conversation around a request, which is untrusted as well."""
    words = lexicon()
    found = (find_mentions(strip_noise(line, words.injection_patterns), directory) for line in talk)
    return tuple(dict.fromkeys(mention.server_id for line in found for mention in line))


def _masked(text: str, mentions: list[ServerMention]) -> str:
    """Replace each server with a neutral word: "DB" in an id is no problem with a DB."""
    parts, end = [], 0
    for mention in mentions:
        parts += [text[end : mention.start], _MASK]
        end = mention.end
    return "".join([*parts, text[end:]])


def _reason(judgement: rules.Judgement, field: str | None = None) -> str:
    value = t(f"triage.{field}.{judgement.value}") if field else judgement.value
    words = ", ".join(f"“{w}”" for w in judgement.words)
    # A judgement by grammar alone has no words to show.
    return t(f"triage.because.{judgement.because}", value=value, words=words).removesuffix(": ")


def _server_reasons(text: str, mentions: list[ServerMention], facts: RequestFacts) -> Iterator[str]:
    """Yield the reasons about servers and requested work."""
    if mentions:
        servers = ", ".join(dict.fromkeys(m.server_id for m in mentions))
        words = dict.fromkeys(text[m.start : m.end].strip() for m in mentions)
        yield t("triage.named.servers", servers=servers, words=", ".join(f"“{w}”" for w in words))
    else:
        yield t("triage.named.nobody")
    if facts.action:
        action = t(f"triage.action.{facts.action}")
        yield t("triage.named.asked", action=action, words=f"“{facts.asked[0].words}”")
