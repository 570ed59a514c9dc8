"""What the Claude Code CLI says while it works (``--output-format stream-json``), line by line.

All of it is a program's word: what has another form counts nothing. Only sums and the last words
are kept, so that what a turn has used is known also where it had to be killed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guardia.board.costs.metering import MAX_REPORTED_TOKENS

_MAX_LINE = 1 << 20
_MAX_TEXT = 4000
_MAX_MODELS = 8
_MAX_USD = 1_000_000
_INPUT_FIELDS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_SUMMARY_INPUT_FIELDS = ("inputTokens", "cacheCreationInputTokens", "cacheReadInputTokens")


@dataclass
class _Message:
    """One answer of a model."""

    model: str
    tokens_in: int
    tokens_out: int = 0


class ClaudeStream:
    """The lines so far."""

    def __init__(self) -> None:
        self.result: dict[str, Any] | None = None
        """The CLI's own account of the whole turn, once it has ended by itself."""
        self.has_output = False
        """Whether anything of this form was said at all."""
        self.tools_missing = False
        """Whether it began without our MCP server, which is all that it could work with."""
        self._last_text = ""
        self._messages: list[_Message] = []
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """More of the output."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._parse_line(line)
        # Nothing that counts is as long; what is left of such a line is none of JSON.
        self._rest = rest if len(rest) <= _MAX_LINE else b""

    def end(self) -> None:
        """No more will come."""
        self.feed(b"\n")

    @property
    def failed(self) -> bool:
        """Whether the CLI says that it did not come to its end."""
        found = self.result
        return found is not None and (bool(found.get("is_error")) or _kind(found) != "success")

    @property
    def words(self) -> str:
        """The last words, or why it gave up."""
        if self.result is None:
            return self._last_text
        value, errors = self.result.get("result"), self.result.get("errors")
        if isinstance(value, str):
            return value[:_MAX_TEXT]
        listed = errors if isinstance(errors, list) else []
        return "\n".join([_kind(self.result), *(e for e in listed if isinstance(e, str))])[
            :_MAX_TEXT
        ]

    def usage(self, model: str | None) -> dict[str, Any] | None:
        """Tokens of each model, and the cost as the CLI reckons it; ``None`` where none was asked.

        ``model`` is what the chart calls the model: prices are found by that name.
        """
        found = self.result or {}
        models = _usage_summary(found.get("modelUsage")) or self._usage_so_far()
        if not models:
            return None
        if model and len(models) == 1:
            models = {model: next(iter(models.values()))}
        return {"models": models, "micro_usd": _micro_usd(found.get("total_cost_usd"))}

    def _parse_line(self, line: bytes) -> None:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(value, dict):
            return
        match value.get("type"):
            case "result":
                self.result = value
            case "stream_event":
                self._event(_mapping(value.get("event")))
            case "assistant":
                self._last_text = _text(_mapping(value.get("message"))) or self._last_text
            case "system":
                servers = value.get("mcp_servers")
                listed = servers if isinstance(servers, list) else []
                self.tools_missing |= any(_mapping(s).get("status") == "failed" for s in listed)
            case _:
                return
        self.has_output = True

    def _event(self, event: Mapping[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                message = _mapping(event.get("message"))
                usage, name = _mapping(message.get("usage")), message.get("model")
                model = name[:120] if isinstance(name, str) and name else "claude"
                read = sum(_token_count(usage.get(part)) for part in _INPUT_FIELDS)
                self._messages.append(
                    _Message(model, read, _token_count(usage.get("output_tokens")))
                )
            case "message_delta" if self._messages:
                # The count so far, not what was added.
                value = _mapping(event.get("usage")).get("output_tokens")
                self._messages[-1].tokens_out = _token_count(value) or self._messages[-1].tokens_out

    def _usage_so_far(self) -> dict[str, dict[str, int]]:
        """Of the messages that were heard, where the CLI did not get to say it itself."""
        found: dict[str, dict[str, int]] = {}
        for message in self._messages:
            tokens = message.tokens_in, message.tokens_out
            _add(found, message.model, *tokens)
        return found


def _usage_summary(value: object) -> dict[str, dict[str, int]]:
    """``modelUsage``: also what its own helpers have asked."""
    found: dict[str, dict[str, int]] = {}
    for name, usage in _mapping(value).items():
        counts = _mapping(usage)
        read = sum(_token_count(counts.get(part)) for part in _SUMMARY_INPUT_FIELDS)
        _add(found, name[:120], read, _token_count(counts.get("outputTokens")))
    return found


def _add(found: dict[str, dict[str, int]], model: str, read: int, written: int) -> None:
    name = model if model in found or len(found) < _MAX_MODELS else next(iter(found))
    sums = found.setdefault(name, {"input_tokens": 0, "output_tokens": 0})
    sums["input_tokens"] = min(MAX_REPORTED_TOKENS, sums["input_tokens"] + read)
    sums["output_tokens"] = min(MAX_REPORTED_TOKENS, sums["output_tokens"] + written)


def _text(message: Mapping[str, Any]) -> str:
    blocks = message.get("content")
    parts = [_mapping(b).get("text") for b in blocks] if isinstance(blocks, list) else []
    return "\n".join(part for part in parts if isinstance(part, str))[:_MAX_TEXT]


def _kind(result: Mapping[str, Any]) -> str:
    return str(result.get("subtype", ""))[:100]


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _token_count(value: object) -> int:
    return value if type(value) is int and 0 <= value <= MAX_REPORTED_TOKENS else 0


def _micro_usd(cost: object) -> int | None:
    """Millionths of a dollar: the record knows no fractions."""
    known = isinstance(cost, int | float) and 0 <= cost <= _MAX_USD
    return round(cost * 1_000_000) if known else None  # type: ignore[operator]
