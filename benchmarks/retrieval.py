"""Search in documents: quality on own questions, time and memory by size, against bare libraries.

    make bench NAME=retrieval ARGS="size [1000 10000 100000]"
    make bench NAME=retrieval ARGS="encode"
    make bench NAME=retrieval ARGS="gate PASSAGES"

`size` uses generated vectors and words of the given numbers of passages, and compares the parts
with bare bm25s and FAISS on the same data, in processor time on one core. `encode` measures the
bundled model. `gate` fits the weights of the gate to `retrieval_questions.jsonl` and
`retrieval_off_topic.txt`, whose author did not write the passages, by five-fold cross-validation
(needs scikit-learn, which `guardia[dense]` brings).
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded: one core for each

import numpy as np
from numpy.typing import NDArray

from guardia.knowledge.retrieval import fusion
from guardia.knowledge.retrieval.nano_encoder import NanoEncoder
from guardia.knowledge.retrieval.searcher import Entry, Searcher, entry_of, hybrid
from guardia.knowledge.retrieval.vectors import CompressedVectors, ExactVectors, FlatVectors
from guardia.knowledge.retrieval.word_index import WordIndex

HERE = Path(__file__).parent
DIMENSION, WORDS, VOCABULARY = 384, 60, 30_000
QUESTIONS = (
    "인증서 갱신 절차가 어떻게 되나요",
    "디스크가 꽉 찼는데 무엇부터 지우나요",
    "백업 실패",
)


def main() -> None:
    command, *words = sys.argv[1:] or ["size"]
    {"size": sizes, "encode": encode, "gate": fit_gate}[command](*words)


def sizes(*counts: str) -> None:
    encoder = NanoEncoder()
    encoder.question("준비")
    for count in [int(one) for one in counts] or [1000, 10_000, 100_000]:
        before = memory()
        entries = generated(count)
        begun = time.perf_counter()
        searcher = Searcher(entries, encoder)
        built, grown = time.perf_counter() - begun, memory() - before
        searcher.search(QUESTIONS[0])
        whole = p50(lambda q, s=searcher: s.search(q))
        alone = p50(encoder.question)
        print(
            f"{count:>7} passages: query p50 {whole:.0f} ms (encoding {alone:.0f}), "
            f"built in {built:.1f} s, +{grown} MB"
        )
        compare(entries)


def compare(entries: list[Entry]) -> None:
    """Print the ratio of our parts to the bare libraries."""
    import faiss
    from bm25s import BM25

    vectors = np.stack([e.vector for e in entries if e.vector is not None])
    asked = unit(20, 9)
    bare = faiss.IndexFlatIP(DIMENSION)
    bare.add(vectors)
    faiss.omp_set_num_threads(1)
    flat = each(lambda q: bare.search(q.reshape(1, -1), 100), asked)
    for kind in (ExactVectors, FlatVectors, CompressedVectors):
        index = kind(vectors)
        ours = each(lambda q, i=index: i.nearest(q, 100, None), asked)
        print(
            f"    {kind.__name__} {ours:.2f} ms, bare FAISS flat {flat:.2f} ms: {ours / flat:.2f}"
        )
    texts = [list(entry.words) for entry in entries]
    ours_words, library = WordIndex(texts), BM25()
    library.index(texts, show_progress=False)
    queries = [text[:6] for text in texts[:20]]
    mine = each(ours_words.scores, queries)
    theirs = each(library.get_scores, queries)
    print(f"    words {mine:.2f} ms, bare bm25s {theirs:.2f} ms: {mine / theirs:.2f}")


def encode() -> None:
    encoder = NanoEncoder()
    texts = [f"{n}번 절차: " + " ".join(QUESTIONS) * 3 for n in range(1000)]
    begun, cpu = time.perf_counter(), time.process_time()
    for text in texts:
        encoder.passages([text])
    took, used = time.perf_counter() - begun, time.process_time() - cpu
    print(f"1,000 passages of {len(texts[0])} characters: {took:.0f} s, {used:.0f} s of CPU")
    print(f"question p50 {p50(encoder.question):.0f} ms; memory {memory()} MB")


def fit_gate(passages: str) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    searcher = _searcher(Path(passages))
    questions = (HERE / "retrieval_questions.jsonl").read_text("utf-8").splitlines()
    asked = [json.loads(line)["query"] for line in questions]
    off = (HERE / "retrieval_off_topic.txt").read_text("utf-8").splitlines()
    rows = np.array([_signals(searcher, text) for text in [*asked, *off]])
    answered = np.array([1] * len(asked) + [0] * len(off))
    for name, columns in (("meaning", [0, 1, 2, 3]), ("words", [1, 2, 3])):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3))
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        sure = cross_val_predict(
            model, rows[:, columns], answered, cv=folds, method="predict_proba"
        )[:, 1]
        model.fit(rows[:, columns], answered)
        weights = model[1].coef_[0] / model[0].scale_
        bias = model[1].intercept_[0] - (weights * model[0].mean_).sum()
        print(f"{name}: weights {weights.round(3)}, bias {bias:.3f}")
        for least in (0.5, 0.55, 0.6, 0.65, 0.7):
            refused = (sure[answered == 0] < least).mean()
            kept = (sure[answered == 1] >= least).mean()
            print(f"    {least}: off-topic refused {refused:.3f}, answerable kept {kept:.3f}")


def _searcher(path: Path) -> Searcher:
    encoder = NanoEncoder()
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    texts = [f"{line['title']}\n{line['text']}" for line in lines]
    vectors = encoder.passages(texts)
    return Searcher([entry_of(n, 0, t, vectors[n]) for n, t in enumerate(texts)], encoder)


def _signals(searcher: Searcher, text: str) -> list[float]:
    asked = searcher.analysed(text)
    best = [position for position, _ in fusion.ordered(hybrid(searcher, asked, None))]
    found = searcher.signals(asked, best)
    return [found.nearness or 0.0, found.coverage, found.unknown, min(found.terms, 2.5)]


def generated(count: int) -> list[Entry]:
    random = np.random.default_rng(3)
    vectors = unit(count, 1)
    # Words as in a language: few are everywhere, most are rare.
    words = np.minimum(random.zipf(1.3, (count, WORDS)), VOCABULARY)
    known = ("인증서", "갱신", "절차", "디스크", "백업", "실패")
    # The question's words are in some hundredths of the passages.
    names = [f"낱말{n}" for n in range(VOCABULARY)]
    names[40 : 40 + len(known)] = known
    rows = [tuple(names[word - 1] for word in row) for row in words]
    return [Entry(n, n // 10, " ".join(row), row, vectors[n]) for n, row in enumerate(rows)]


def unit(count: int, seed: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def p50(work: Callable[[str], Any]) -> float:
    return each(work, [question for _ in range(10) for question in QUESTIONS])


def each(work: Callable[[Any], Any], inputs: Any) -> float:
    """Return the median milliseconds of processor time of a call."""
    times = []
    for one in inputs:
        begun = time.process_time()
        work(one)
        times.append(1000 * (time.process_time() - begun))
    return statistics.median(times)


def memory() -> int:
    """Return the most memory that this process has used, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
