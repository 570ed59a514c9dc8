"""Texts for people: Korean first, English second, one TOML catalogue per package.

A key is `<catalogue>.<path>`: `t("web.login.title")` reads `locale/<lang>/web.toml`, table `login`,
entry `title`. A catalogue may also have a folder with one file per feature:
`t("tools.disk.usage.title")` reads `locale/<lang>/tools/disk.toml`, table `usage`.

Placeholders are `{name}` and are filled as plain text: values are never parsed again, so untrusted
text cannot reach other placeholders. A Korean placeholder may have a particle,
`{name:은/는}`, whose form depends on the last sound of the value.
"""

from __future__ import annotations

import re
import tomllib
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from guardia.particles import with_particle

DEFAULT_LANGUAGE = "ko"
LANGUAGES = ("ko", "en")
language: ContextVar[str] = ContextVar("language", default=DEFAULT_LANGUAGE)
"""The language of the person being served; the audit log is always in Korean."""
_PLACEHOLDER = re.compile(r"\{(\w+)(?::([가-힣]+/[가-힣]+))?\}")


@cache
def catalogue(language: str, name: str) -> dict[str, Any]:
    """Return the texts of one catalogue in one language; empty if there is none."""
    texts = files("guardia") / "locale" / language
    found, folder = _read(texts / f"{name}.toml"), texts / name
    features = [f for f in folder.iterdir() if f.name.endswith(".toml")] if folder.is_dir() else []
    return found | {file.name.removesuffix(".toml"): _read(file) for file in features}


def _read(file: Traversable) -> dict[str, Any]:
    return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}


def _find(language: str, key: str) -> str | None:
    name, _, rest = key.partition(".")
    node: Any = catalogue(language, name)
    for part in rest.split("."):
        if not isinstance(node, dict) or part not in node:
            return None
        node = node[part]
    return node if isinstance(node, str) else None


def t(key: str, /, **values: object) -> str:
    """Return the text for `key` in the current language, with Korean as fallback.

    Raises `KeyError` if there is none.
    """
    return _format(language.get(), key, values)


def t_default(key: str, /, **values: object) -> str:
    """Return the text for `key` in the language of the audit log, for every reader the same."""
    return _format(DEFAULT_LANGUAGE, key, values)


def _format(chosen: str, key: str, values: dict[str, object]) -> str:
    text = _find(chosen, key) or _find(DEFAULT_LANGUAGE, key)
    if text is None:
        raise KeyError(f"no text for {key!r}; add it to src/guardia/locale")
    return _PLACEHOLDER.sub(lambda m: _value(m, values), text)


def _value(placeholder: re.Match[str], values: dict[str, object]) -> str:
    if placeholder[1] not in values:
        return placeholder[0]
    value = str(values[placeholder[1]])
    return with_particle(value, placeholder[2]) if placeholder[2] else value
