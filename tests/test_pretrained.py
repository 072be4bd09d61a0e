from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from emoji_pred import pretrained
from emoji_pred.errors import UserError
from emoji_pred.pretrained import encoder_files, load_encoder, load_fast_tokenizer, positions

CONF = Path(__file__).resolve().parents[1] / "conf" / "encoder"
KEYS = [
    *("name", "source", "repository", "revision", "package", "sha256", "normalise", "max_tokens"),
    *("truncation_side", "prefix", "config"),
]


def encoder_config(name: str, **changes: Any) -> dict[str, Any]:
    options: Any = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    return {**options, **changes}


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No package with weights, an empty Hugging Face cache, and a Hub that does not answer."""
    import huggingface_hub
    from huggingface_hub import constants

    def no_answer(*_: object, **__: object) -> None:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", no_answer)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small RoBERTa with pooler, saved as the Hub has it, with the bundled tokenizer."""
    from transformers import RobertaConfig, RobertaModel

    folder = tmp_path_factory.mktemp("packages") / "weights_in_a_package" / "model"
    torch.manual_seed(3)
    options = {"vocab_size": 2000, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    RobertaModel(RobertaConfig(**options, intermediate_size=16)).save_pretrained(folder)
    for path in pretrained.TINY.glob("tokenizer*.json"):
        shutil.copy(path, folder)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('imported')\n", encoding="utf-8")
    return folder


@pytest.fixture
def packaged(saved: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(saved.parents[1]))
    return encoder_config("minilm", package="weights_in_a_package/model", sha256=None)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_encoder_files_of_conf_are_pinned_and_complete(path: Path) -> None:
    options = encoder_config(path.stem)
    assert list(options) == KEYS
    assert options["name"] == path.stem
    if options["source"] == "random":
        assert (
            options["revision"]
            == hashlib.sha256((pretrained.TINY / "tokenizer.json").read_bytes()).hexdigest()
        )
    elif path.stem == "urduhack":  # no commit of it is known: the file must say so
        assert options["revision"] == "main" and "# NOT PINNED" in path.read_text(encoding="utf-8")
    else:
        assert len(options["revision"]) == 40 and int(options["revision"], 16)
    assert options["sha256"] is None or len(options["sha256"]) == 64


def test_tiny_encodes_any_text_and_gives_it_back() -> None:
    tokenizer = load_fast_tokenizer(encoder_config("tiny"))
    for text in (
        " happy birthday 🎂",
        " С днём рождения",
        " سالگرہ مبارک",
        " \U0001f469\u200d\U0001f680 z\u0301",
    ):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.convert_ids_to_tokens([ids[0], ids[-1]]) == ["<s>", "</s>"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert (len(tokenizer), tokenizer.pad_token, tokenizer.is_fast) == (2000, "<pad>", True)
    long = tokenizer(["love " * 999], truncation=True, max_length=16)["input_ids"][0]
    assert len(long) == 16


def test_tiny_knows_words_of_the_sample_corpora() -> None:
    from emoji_pred.data.sample import load_sample

    tokenizer = load_fast_tokenizer(encoder_config("tiny"))
    corpus = load_sample(data_dir=Path("unused"), language="all")
    texts = corpus.splits["test"].texts
    tokens = sum(len(ids) - 2 for ids in tokenizer(texts)["input_ids"])
    assert tokens < 2 * sum(len(text.split()) for text in texts)


def test_tiny_weights_follow_the_seed() -> None:
    options = encoder_config("tiny")

    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([parameter.flatten() for parameter in load_encoder(options).parameters()])

    first = weights(1)
    assert torch.equal(first, weights(1))
    assert not torch.equal(first, weights(2))


def test_tiny_fits_its_tokenizer() -> None:
    options = encoder_config("tiny")
    network, tokenizer = load_encoder(options), load_fast_tokenizer(options)
    assert (network.config.vocab_size, network.config.pad_token_id) == (
        len(tokenizer),
        tokenizer.pad_token_id,
    )
    assert network.config._attn_implementation == "sdpa"
    batch = tokenizer(["a", "two words"], padding=True, return_tensors="pt")
    states = network(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
    assert states.shape == (*batch.input_ids.shape, 64)


def test_a_package_is_read_without_being_imported(saved: Path, packaged: dict[str, Any]) -> None:
    from transformers import RobertaModel

    network = load_encoder(packaged)
    expected = RobertaModel.from_pretrained(saved)
    ids = torch.tensor([[5, 6, 7]])
    torch.testing.assert_close(
        network.eval()(input_ids=ids).last_hidden_state, expected.eval()(input_ids=ids).last_hidden_state
    )
    assert network.pooler is None
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert "weights_in_a_package" not in sys.modules


def test_a_pooler_is_loaded_for_a_network_that_reads_it(saved: Path, packaged: dict[str, Any]) -> None:
    from transformers import RobertaModel

    ids, expected = torch.tensor([[5, 6, 7]]), RobertaModel.from_pretrained(saved).eval()
    network = load_encoder(packaged, {"pooling": "pooler"}).eval()
    assert network.untrained == set()
    torch.testing.assert_close(network(input_ids=ids).pooler_output, expected(input_ids=ids).pooler_output)
    for other in (None, {}, {"pooling": "cls"}):
        assert load_encoder(packaged, other).pooler is None


@pytest.fixture
def without_pooler(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The same weights as a checkpoint like ru-en-RoSBERTa's: none for the pooler."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "no_pooler" / "model"
    shutil.copytree(saved, folder)
    (folder.parent / "__init__.py").touch()
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "pooler" not in name}
    assert len(kept) == len(weights) - 2
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    monkeypatch.syspath_prepend(str(tmp_path))
    return encoder_config("minilm", package="no_pooler/model", sha256=None)


def test_a_pooler_without_weights_is_refused_unless_forced(without_pooler: dict[str, Any]) -> None:
    wanted = {"pooling": "pooler", "encoder_training": "lora", "pooler_untrained": False}
    with pytest.raises(UserError, match=r"has no pooler weights, so .* a random layer that never trains"):
        load_encoder(without_pooler, wanted)
    torch.manual_seed(1)
    forced = load_encoder(without_pooler, wanted | {"pooler_untrained": True})
    assert forced.untrained == {"pooler"}
    assert forced.pooler.dense.weight.std().item() == pytest.approx(0.02, rel=0.3)  # drawn, as BERT draws
    torch.manual_seed(1)
    again = load_encoder(without_pooler, wanted | {"encoder_training": "full"})  # there it trains
    assert torch.equal(again.pooler.dense.weight, forced.pooler.dense.weight)
    assert load_encoder(without_pooler, {"pooling": "mean"}).untrained == set()


def test_random_weights_have_no_trained_pooler_either() -> None:
    with pytest.raises(UserError, match="encoder=tiny has no pooler weights"):
        load_encoder(encoder_config("tiny"), {"pooling": "pooler"})
    forced = load_encoder(encoder_config("tiny"), {"pooling": "pooler", "pooler_untrained": True})
    assert forced.untrained == {"pooler"}


def test_an_architecture_without_pooler_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import DistilBertConfig, DistilBertModel

    folder = tmp_path / "distil" / "model"
    config = DistilBertConfig(vocab_size=2000, dim=16, n_layers=1, n_heads=2, hidden_dim=16)
    DistilBertModel(config).save_pretrained(folder)
    (folder.parent / "__init__.py").touch()
    for path in pretrained.TINY.glob("tokenizer*.json"):
        shutil.copy(path, folder)
    monkeypatch.syspath_prepend(str(tmp_path))
    options = encoder_config("minilm", package="distil/model", sha256=None)
    with pytest.raises(UserError, match=r"is a DistilBertModel and has no pooler; set .*cls or mean"):
        load_encoder(options, {"pooling": "pooler", "pooler_untrained": True})
    assert load_encoder(options, {"pooling": "cls"}).config.hidden_size == 16


def test_a_seed_draws_the_weights_of_a_run_and_leaves_the_generator_alone() -> None:
    options = encoder_config("tiny")
    torch.manual_seed(5)
    expected = torch.cat([weight.flatten() for weight in load_encoder(options).parameters()])
    before = torch.manual_seed(9).get_state()
    found = torch.cat([weight.flatten() for weight in load_encoder(options, seed=5).parameters()])
    assert torch.equal(found, expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_wrong_file_is_refused(saved: Path, packaged: dict[str, Any]) -> None:
    digest = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert encoder_files({**packaged, "sha256": digest}) == saved
    with pytest.raises(UserError, match=r"model\.safetensors is damaged or not the pinned file"):
        encoder_files({**packaged, "sha256": "0" * 64})


def test_weights_that_do_not_fill_the_network_are_refused(saved: Path, tmp_path: Path, monkeypatch) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "holes" / "model"
    shutil.copytree(saved, folder)
    (folder.parent / "__init__.py").touch()
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    monkeypatch.syspath_prepend(str(tmp_path))
    options = encoder_config("minilm", package="holes/model", sha256=None)
    with pytest.raises(UserError, match=r"lack 1 tensors .* encoder\.layer\.0\.output\.dense\.weight"):
        load_encoder(options)


@pytest.mark.usefixtures("offline")
def test_offline_one_line_names_what_works() -> None:
    for name in ("bertweet", "minilm"):
        with pytest.raises(UserError) as refused:
            load_fast_tokenizer(encoder_config(name))
        message = str(refused.value)
        assert "\n" not in message
        for part in (
            f"encoder={name}",
            "no route to host",
            "encoder=tiny",
            "`make minilm`",
            "hf download",
        ):
            assert part in message
    assert encoder_files(encoder_config("tiny")).is_dir()


@pytest.mark.usefixtures("offline")
def test_a_revision_without_safetensors_is_refused_before_any_download(monkeypatch) -> None:
    import huggingface_hub
    from huggingface_hub.hf_api import ModelInfo

    files = [{"rfilename": "config.json"}, {"rfilename": "pytorch_model.bin"}, {"rfilename": "vocab.txt"}]
    info = ModelInfo(id="vinai/bertweet-base", siblings=files, private=False, downloads=0, likes=0, tags=[])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: info)
    with pytest.raises(UserError, match=r"has no model\.safetensors at revision b349c124"):
        encoder_files(encoder_config("bertweet"))


@pytest.mark.usefixtures("offline")
def test_a_cached_revision_needs_no_network(saved: Path, tmp_path: Path) -> None:
    options = encoder_config("bertweet")
    snapshot = tmp_path / "hub" / "models--vinai--bertweet-base" / "snapshots" / options["revision"]
    shutil.copytree(saved, snapshot)
    assert encoder_files(options) == snapshot
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(UserError, match="not in the Hugging Face cache"):
        encoder_files(options)


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(UserError, match=r"encoder\.source=usb is none of hub, package, random"):
        encoder_files(encoder_config("tiny", source="usb"))


def test_bertweets_own_tokenizer_is_the_one_loaded(saved: Path, tmp_path: Path, monkeypatch) -> None:
    """A folder laid out as the Hub has BERTweet: RoBERTa network, tokenizer of its own class."""
    import json

    folder = tmp_path / "like_bertweet" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    shutil.copy(saved / "model.safetensors", folder)
    config = json.loads((saved / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "tokenizer_class": "BertweetTokenizer"}))
    (folder / "vocab.txt").write_text("good 9\nda@@ 5\ny 4\n", encoding="utf-8")
    (folder / "bpe.codes").write_text("o o 9\ng oo 8\ngoo d</w> 7\nd a 5\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    options = encoder_config("bertweet", source="package", package="like_bertweet/model")
    tokenizer = load_fast_tokenizer(options)
    ids = tokenizer(["good day"])["input_ids"][0]
    assert tokenizer.convert_ids_to_tokens(ids) == ["<s>", "good", "da@@", "y", "</s>"]
    assert (ids[0], ids[-1], tokenizer.pad_token_id) == (0, 2, 1)


def test_importing_the_module_imports_no_heavy_library() -> None:
    code = (
        "import sys, emoji_pred.pretrained; "
        "print({'torch', 'transformers', 'huggingface_hub', 'numpy'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.fixture(scope="module")
def minilm() -> dict[str, Any]:
    if pretrained.importlib.util.find_spec(pretrained.MINILM_PACKAGE) is None:
        pytest.skip("true weights not installed: make minilm")
    return encoder_config("minilm")


def test_true_minilm_weights_know_which_sentences_are_alike(minilm: dict[str, Any]) -> None:
    from emoji_pred.models.pooling import masked_mean

    tokenizer, network = load_fast_tokenizer(minilm), load_encoder(minilm).eval()
    texts = ["I love my dog so much", "My puppy is the best", "The stock market fell again today"]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = network(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
    vectors = torch.nn.functional.normalize(masked_mean(states, batch.attention_mask.bool()), dim=-1)
    similar = vectors @ vectors.T
    assert similar[0, 1] > similar[0, 2] + 0.3
    assert similar[0, 1] > similar[1, 2] + 0.3
    assert states.shape[-1] == 384
    assert (
        sum(parameter.numel() for parameter in network.parameters()) == 22_565_376
    )  # 22.7 M less the pooler


@pytest.mark.usefixtures("offline")
def test_a_download_of_more_than_an_encoder_is_refused_before_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import huggingface_hub
    from huggingface_hub.hf_api import ModelInfo

    sizes = {"config.json": 600, "model.safetensors": 30 << 30, "huge.bin": 1 << 50}
    files = [{"rfilename": name, "size": size} for name, size in sizes.items()]
    info = ModelInfo(id="vinai/bertweet-base", siblings=files, private=False, downloads=0, likes=0, tags=[])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: info)
    with pytest.raises(UserError, match=r"vinai/bertweet-base .* has 30 GB .* more than 16 GB"):
        encoder_files(encoder_config("bertweet"))


def test_positions_are_those_that_tokens_can_take() -> None:
    from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    assert positions(BertModel(BertConfig(max_position_embeddings=40, **small))) == 40
    # Padding is token 1 in RoBERTa, so the first token stands at position 2.
    roberta = RobertaModel(RobertaConfig(max_position_embeddings=42, pad_token_id=1, **small))
    assert positions(roberta) == 40
    ids = torch.full((1, 40), 5)
    assert roberta(ids).last_hidden_state.shape == (1, 40, 8)
    with pytest.raises((IndexError, RuntimeError)):
        roberta(torch.full((1, 41), 5))
    assert positions(torch.nn.Linear(2, 2)) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"\x08\x00\x00\x00"),
        ("model.safetensors", None),  # cut in the middle
        ("config.json", b"{"),
        ("config.json", b'{"model_type": "of another world"}'),
        ("tokenizer.json", b"not JSON"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_the_folder(
    packaged: dict[str, Any],
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes | None,
) -> None:
    folder = tmp_path / "damaged_package" / "model"
    shutil.copytree(saved, folder)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    monkeypatch.syspath_prepend(str(tmp_path))
    options = {**packaged, "package": "damaged_package/model"}
    load = load_fast_tokenizer if name == "tokenizer.json" else load_encoder
    expected = r"damaged_package/model cannot be read .*delete the folder"
    with pytest.raises(UserError, match=expected) as refused:
        load(options)
    assert "\n" not in str(refused.value)
