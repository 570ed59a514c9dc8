"""A folder of sentence-transformers encodes like the bundled model; a tiny one is made here."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from guardia.errors import Misconfigured
from guardia.knowledge.retrieval.folder_encoder import FolderEncoder, digest
from guardia.knowledge.retrieval.loading import load_encoder
from guardia.knowledge.retrieval.searcher import Searcher, entry_of

pytest.importorskip("sentence_transformers", reason="the extra dense")
pytestmark = pytest.mark.slow

TEXTS = ["인증서 갱신 절차", "디스크 사용률 정리", "백업 실패 조치"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *" ".join(TEXTS).split()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a model with random weights, one token for each word."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import BertConfig, BertModel, BertTokenizer

    path = tmp_path_factory.mktemp("model")
    (path / "words").mkdir()
    vocabulary = path / "words" / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS), "utf-8")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(path / "words")
    BertTokenizer(str(vocabulary), do_lower_case=False).save_pretrained(path / "words")
    transformer = modules.Transformer(str(path / "words"), max_seq_length=32)
    pooling = modules.Pooling(transformer.get_embedding_dimension(), "mean")
    model = SentenceTransformer(
        modules=[transformer, pooling], device="cpu", prompts={"query": "", "document": ""}
    )
    model.save(str(path / "whole"))
    return path / "whole"


def test_equal_texts_are_nearest_and_found(folder: Path) -> None:
    encoder = FolderEncoder(folder)
    rows = encoder.passages(TEXTS)
    assert rows.shape == (3, encoder.dimension) == (3, 32) and rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1, 1], abs=1e-4)
    assert int((rows @ encoder.question(TEXTS[1])).argmax()) == 1
    searcher = Searcher([entry_of(n, 0, t, rows[n]) for n, t in enumerate(TEXTS)], encoder)
    assert searcher.search("백업 실패 조치").hits[0].key == 2


def test_the_id_of_a_model_follows_its_files(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "renamed"
    shutil.copytree(folder, copy)
    assert FolderEncoder(copy).model == FolderEncoder(folder).model
    (copy / "README.md").write_text("other")
    assert digest(copy) != digest(folder)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(Misconfigured, match=str(path)):
            load_encoder(path)
