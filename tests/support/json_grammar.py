"""What a grammar-constrained decoder may write for a schema: raw texts, nothing escaped for it.

Decoders turn a schema into a grammar and emit any text of it. A `pattern` becomes a rule for the
characters between the quotes, so a pattern that permits a quote, a backslash or a control character
permits texts that are no JSON.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st


def emitted(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Return a strategy for the texts that the grammar of `schema` permits."""
    if "enum" in schema:
        # A list of constants: converters write them as JSON.
        return st.sampled_from([json.dumps(v, ensure_ascii=False) for v in schema["enum"]])
    match schema["type"]:
        case "string":
            pattern = schema["pattern"]
            assert pattern.startswith("^") and pattern.endswith("$"), "converters demand both"
            return st.from_regex(pattern[:-1] + r"\Z").map(lambda text: f'"{text}"')
        case "array":
            items = emitted(schema["items"])
            return st.lists(items, max_size=schema["maxItems"]).map(
                lambda found: f"[{','.join(found)}]"
            )
        case "object":
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
            values = [emitted(value) for value in schema["properties"].values()]
            names = [json.dumps(name) for name in schema["properties"]]
            return st.tuples(*values).map(
                lambda found: "{" + ",".join(map(":".join, zip(names, found, strict=True))) + "}"
            )
    raise AssertionError(f"no rule for {schema}")
