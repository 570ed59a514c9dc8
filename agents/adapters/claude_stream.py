"""Parse the output of the Claude Code CLI (`--output-format stream-json`) line by line.

The output is untrusted: lines of another form are ignored. Only sums and the last text are kept, so
that the usage of a killed session is known as well.
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
        """The CLI's own report of the whole session, if it ended by itself."""
        self.has_output = False
        """Whether any line had this form."""
        self.tools_missing = False
        """Whether it started without our MCP server, which holds all its tools."""
        self._last_text = ""
        self._messages: list[_Message] = []
        self._incomplete = b""

    def feed(self, chunk: bytes) -> None:
        """Append a chunk of the output."""
        *lines, incomplete = (self._incomplete + chunk).split(b"\n")
        for line in lines:
            self._parse_line(line)
        # No line that counts is as long; the remainder of such a line is not JSON.
        self._incomplete = incomplete if len(incomplete) <= _MAX_LINE else b""

    def end(self) -> None:
        """Process the last line."""
        self.feed(b"\n")

    @property
    def failed(self) -> bool:
        """Whether the CLI reports that it did not finish."""
        found = self.result
        return found is not None and (bool(found.get("is_error")) or _kind(found) != "success")

    @property
    def words(self) -> str:
        """The final text, or the reason why it gave up."""
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
        """Return the tokens of each model and the cost computed by the CLI, or `None`."""
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
                # The total so far, not the increment.
                value = _mapping(event.get("usage")).get("output_tokens")
                self._messages[-1].tokens_out = _token_count(value) or self._messages[-1].tokens_out

    def _usage_so_far(self) -> dict[str, dict[str, int]]:
        """Sum the usage of the messages, for a CLI that was killed before its own report."""
        usage: dict[str, dict[str, int]] = {}
        for message in self._messages:
            tokens = message.tokens_in, message.tokens_out
            _add(usage, message.model, *tokens)
        return usage


def _usage_summary(value: object) -> dict[str, dict[str, int]]:
    """Read `modelUsage`, which includes the calls of its subagents."""
    summary: dict[str, dict[str, int]] = {}
    for name, usage in _mapping(value).items():
        counts = _mapping(usage)
        read = sum(_token_count(counts.get(part)) for part in _SUMMARY_INPUT_FIELDS)
        _add(summary, name[:120], read, _token_count(counts.get("outputTokens")))
    return summary


def _add(usage: dict[str, dict[str, int]], model: str, read: int, written: int) -> None:
    name = model if model in usage or len(usage) < _MAX_MODELS else next(iter(usage))
    sums = usage.setdefault(name, {"input_tokens": 0, "output_tokens": 0})
    sums["input_tokens"] = min(MAX_REPORTED_TOKENS, sums["input_tokens"] + read)
    sums["output_tokens"] = min(MAX_REPORTED_TOKENS, sums["output_tokens"] + written)


def _text(message: Mapping[str, Any]) -> str:
    blocks = message.get("content")
    parts = [_mapping(b).get("text") for b in blocks] if isinstance(blocks, list) else []
    return "\n".join(part for part in parts if isinstance(part, str))[:_MAX_TEXT]


def _kind(result: Mapping[str, Any]) -> str:
    return str(result.get("subtype", ""))[:100]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _token_count(value: object) -> int:
    return value if type(value) is int and 0 <= value <= MAX_REPORTED_TOKENS else 0


def _micro_usd(cost: object) -> int | None:
    """Convert dollars to millionths of a dollar, because the audit log has no fractions."""
    known = isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost <= _MAX_USD
    return round(cost * 1_000_000) if known else None  # type: ignore[operator]
