"""Korean morphological analysis: Kiwi behind a small interface.

Kiwi is loaded on first use, once per process, and unloaded after half a day without requests: it
takes most of a worker's memory and reloads within a second. Its dictionaries of proper names from
encyclopaedias are not loaded: texts in this field do not need them, and they double memory and
start-up time.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import cache
from importlib.resources import files
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

T = TypeVar("T")

_IDLE_SECONDS = 12 * 3600.0
"""Seconds without a request after which Kiwi is unloaded: a quiet night, not a quiet minute, since
the next request waits a second for it. Only workers load it, never the board."""

# Server ids, versions, addresses, file names, error numbers: one token each, never split.
_INDIVISIBLE = re.compile(
    r"(?<![A-Za-z0-9])(?:v?\d+(?:\.\d+)+|[A-Za-z0-9]+(?:[-_.]+[A-Za-z0-9]+)+|(?:/[\w.-]*\w)+)",
    re.ASCII,
)
_CONTENT_TAGS = frozenset(
    ["NNG", "NNP", "XR", "VV", "VA", "VV-I", "VV-R", "VA-I", "VA-R", "SL", "SH", "SN", "W_SERIAL"]
)
# Politeness and light verbs carry no meaning for search.
# fmt: off
_STOP_WORDS = frozenset({
    "하", "되", "있", "보", "주", "드리", "바라", "같", "이렇", "그렇", "알", "나",
    "나오", "가", "오", "부탁", "요청", "신청", "감사", "안녕", "수고",
})
# fmt: on


class Morpheme(NamedTuple):
    """One morpheme: `form` is the dictionary stem, `start` its position in the text."""

    form: str
    tag: str
    """Sejong tag without Kiwi's conjugation mark: `NNG`, `VV`, `JKS`, `EF` …"""
    start: int


def morphemes(text: str) -> list[Morpheme]:
    """Split `text` into morphemes; foreign words in lower case, ids and versions in one piece."""
    spans = [(m.start(), m.end(), "SL") for m in _INDIVISIBLE.finditer(text)]

    def analyse(kiwi: Kiwi) -> list[Morpheme]:
        found = kiwi.tokenize(text, normalize_coda=True, pretokenized=spans or None)
        return [Morpheme(t.form.lower(), t.tag.split("-")[0], t.start) for t in found]

    return _kiwi.run(analyse)


def join_morphemes(parts: Iterable[tuple[str, str]]) -> str:
    """Join morphemes (form, tag) into their written form: `바꾸 + 어` becomes `바꿔`."""
    return _kiwi.run(lambda kiwi: str(kiwi.join(parts)))


def tokens(text: str) -> list[str]:
    """Return the meaningful words of `text` for search, each in its canonical form."""
    return [
        canonical(m.form)
        for m in morphemes(text)
        if m.tag in _CONTENT_TAGS and m.form not in _STOP_WORDS
    ]


def canonical(form: str) -> str:
    """Return the canonical word for synonyms: `db` and `데이터베이스` become `디비`."""
    return _synonyms().get(form, form)


class _KiwiThread:
    """Kiwi in a thread of its own, unloaded when idle; thread-safe.

    Its allocator keeps freed memory per thread and loses track of it when the thread ends. So one
    lasting thread loads, uses and unloads it.
    """

    def __init__(self) -> None:
        self._requests: SimpleQueue[tuple[Future[Any], Callable[[Kiwi], Any]]] = SimpleQueue()
        self._lock = Lock()
        self._thread: Thread | None = None

    def run(self, work: Callable[[Kiwi], T]) -> T:
        """Return the result of `work` on Kiwi. `work` must not call `run` itself."""
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._serve, name="kiwi", daemon=True)
                self._thread.start()
        result: Future[T] = Future()
        self._requests.put((result, work))
        return result.result()

    def _serve(self) -> None:
        kiwi: Kiwi | None = None
        while True:
            try:
                result, work = self._requests.get(timeout=_IDLE_SECONDS if kiwi else None)
            except Empty:
                kiwi = None
                _trim_memory()
                continue
            try:
                kiwi = kiwi or _load()
                result.set_result(work(kiwi))
            except BaseException as error:
                result.set_exception(error)
            del result, work


_kiwi = _KiwiThread()


def _trim_memory() -> None:
    """Return freed memory to the system if the C library supports it (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _load() -> Kiwi:
    # Without it the allocator keeps freed memory: a tenth while in use, a third when unloaded.
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", "0")
    from kiwipiepy import Kiwi

    kiwi = Kiwi(num_workers=1, load_default_dict=False, load_multi_dict=False)
    for word in _nouns():
        kiwi.add_user_word(word, "NNG", 3.0)
    return kiwi


@cache
def _words() -> dict[str, object]:
    text = (files("guardia.knowledge") / "words.yaml").read_text("utf-8")
    words: dict[str, object] = YAML(typ="safe", pure=True).load(text)
    return words


def _nouns() -> list[str]:
    return str(_words()["nouns"]).split()


@cache
def _synonyms() -> dict[str, str]:
    groups = _words()["same"]
    assert isinstance(groups, list)
    return {variant: first for first, *others in groups for variant in others}
