"""`python -m emoji_pred embeddings RUN --out DIR`: how the labels of a run lie to each other.

The rows of the last layer, in two dimensions by PCA, t-SNE and UMAP, and in clusters by k-means (telegram
paper, Figures 1 and 2): page.html, embeddings.png, clusters.md and coordinates.csv.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoji_pred import runs
from emoji_pred.errors import UserError, mistakes_told
from emoji_pred.finished import add_runs_dir, find_run

if TYPE_CHECKING:
    import numpy as np

    from emoji_pred.embeddings.labels import Label

PAGE, PICTURE, CLUSTERS, TABLE = "page.html", "embeddings.png", "clusters.md", "coordinates.csv"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with code 2 and one line for a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m emoji_pred embeddings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="a run's directory, its name, or the first digits of it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the files are written")
    parser.add_argument(
        "--clusters", type=int, metavar="K", help="default: 15 of 62 classes, as in the paper"
    )
    parser.add_argument("--seed", type=int, default=0, help="of t-SNE, UMAP and k-means (default 0)")
    parser.add_argument("--emoji-font", type=Path, metavar="FILE", help="of the PNG (default: what is found)")
    add_runs_dir(parser)
    options = parser.parse_args(arguments)
    with mistakes_told():
        _run(options)


def _run(options: argparse.Namespace) -> None:
    if not 0 <= options.seed < 2**32:
        raise UserError(f"--seed {options.seed}: 0 to {2**32 - 1}")
    directory = find_run(options.runs_dir, options.run)
    out = _writable(options.out.expanduser())
    from emoji_pred.embeddings import projections
    from emoji_pred.embeddings.labels import describe
    from emoji_pred.embeddings.page import render
    from emoji_pred.embeddings.tables import clusters_markdown, coordinates_csv
    from emoji_pred.predictor import Predictor

    predictor = Predictor.load(directory)
    names, result = predictor.label_names, predictor.result
    learned = predictor.clusters
    vectors = projections.label_vectors(predictor.network, len(names) if learned is None else learned.count)
    if learned is not None:  # labels that were learned as one have one vector
        vectors = vectors[list(learned.of)]
    count = projections.default_clusters(len(names)) if options.clusters is None else options.clusters
    groups = projections.cluster(vectors, count, options.seed)
    coordinates, remarks, missing = projections.project_all(vectors, options.seed)
    labels = describe(names, result, groups, projections.nearest_labels(vectors))
    for why in missing.values():
        print(f"left out: {why}", file=sys.stderr)

    _write(out / PAGE, render(labels, coordinates, remarks, missing, result).encode("utf-8", "replace"))
    _write(out / CLUSTERS, clusters_markdown(labels, result).encode("utf-8", "replace"))
    _write(out / TABLE, coordinates_csv(labels, coordinates).encode("utf-8", "replace"))
    drawn = _draw(out, labels, coordinates, remarks, result, options.emoji_font)
    files = [PAGE, *([PICTURE] if drawn else []), CLUSTERS, TABLE]
    print(f"{len(names)} classes, vectors of {vectors.shape[1]}: {', '.join(files)} in {out}")


def _draw(
    out: Path,
    labels: Sequence[Label],
    coordinates: Mapping[str, np.ndarray],
    remarks: Mapping[str, str],
    result: Mapping[str, Any],
    font_file: Path | None,
) -> bool:
    """Draw the PNG, with names for emoji where there is no font; False, and a line, without matplotlib."""
    from emoji_pred.embeddings.figure import EmojiFont, draw, find_emoji_font
    from emoji_pred.embeddings.page import about

    try:
        font = EmojiFont(font_file.expanduser()) if font_file is not None else find_emoji_font()
    except ImportError:  # Pillow comes with matplotlib
        font = None
    title = f"Label embeddings of run {result.get('run', '')}: {about(result)}"
    try:
        picture = draw(labels, coordinates, remarks, title, font)
    except UserError as error:
        print(f"left out: {error}", file=sys.stderr)
        return False
    if font is None and any(one.is_emoji for one in labels):
        print(
            f"no colour emoji font found: {PICTURE} has the names of the emoji; install one (Debian: "
            "fonts-noto-color-emoji) or give --emoji-font FILE",
            file=sys.stderr,
        )
    _write(out / PICTURE, picture)
    return True


def _writable(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out} cannot be made: {error.strerror}") from None
    return out


def _write(path: Path, content: bytes) -> None:
    try:
        with runs.replace_file(path) as stream:
            stream.write(content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
