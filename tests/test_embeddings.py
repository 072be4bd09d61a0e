"""Label embeddings: vectors, projections, clusters, the page, the picture and the command."""

from __future__ import annotations

import csv
import html.parser
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Ended

from emoji_pred import embeddings_command, runs
from emoji_pred.embeddings import figure, projections
from emoji_pred.embeddings.labels import Label, describe
from emoji_pred.embeddings.layout import SIDE, fit, mark_sizes, spread
from emoji_pred.embeddings.page import render
from emoji_pred.embeddings.tables import clusters_markdown, coordinates_csv
from emoji_pred.errors import UserError

RESULT = {
    "run": "0123456789ab",
    "label_names": ["😂", "❤", "a|b", "</script><script>alert(1)</script>"],
    "config": {"model": {"name": "cnn"}, "data": {"name": "<mine>"}},
    "test": {"macro_f1": 0.25, "per_class": [{"f1": value} for value in (0.5, 0.25, 0.25, 0.0)]},
    "provenance": {"class_counts": [40, 30, 20, 1234]},
}


def grouped(groups: int = 4, each: int = 5, width: int = 16, seed: int = 0) -> np.ndarray:
    """Vectors around centres that are far from each other: (groups x each, width)."""
    rng = np.random.default_rng(seed)
    return np.repeat(10 * np.eye(groups, width), each, axis=0) + rng.normal(0, 0.3, (groups * each, width))


@pytest.fixture
def labels() -> list[Label]:
    vectors = np.eye(4)
    clusters = np.array([0, 0, 1, 1])
    return describe(RESULT["label_names"], RESULT, clusters, projections.nearest_labels(vectors))


@pytest.fixture
def no_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where umap-learn is not installed; where it is, it compiles for many seconds."""
    monkeypatch.setitem(sys.modules, "umap", None)


# --- vectors and projections


def test_the_vectors_are_the_rows_of_the_last_layer() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.ReLU(), torch.nn.Linear(5, 5))
    found = projections.label_vectors(network, 5)
    np.testing.assert_array_equal(found, network[2].weight.detach().numpy())  # not the first with 5 outputs
    with pytest.raises(UserError, match="no linear layer with 6 outputs"):
        projections.label_vectors(network, 6)


def test_pca_is_the_singular_value_decomposition() -> None:
    vectors = np.random.default_rng(0).normal(size=(9, 6))
    centred = vectors - vectors.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    found, remark = projections.pca(vectors)
    np.testing.assert_allclose(np.abs(found), np.abs(left[:, :2] * values[:2]), atol=1e-9)
    shares = values**2 / (values**2).sum()
    assert remark == f"{shares[0]:.0%} and {shares[1]:.0%} of the variance"


@pytest.mark.parametrize("method", [projections.pca, projections.tsne])
def test_what_is_near_stays_near(method: Callable[..., tuple[np.ndarray, str]]) -> None:
    vectors = grouped(3)
    places, _ = method(vectors, 0)
    again, _ = method(vectors, 0)
    np.testing.assert_array_equal(places, again)
    assert places.shape == (15, 2) and np.isfinite(places).all()
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1) + np.diag([np.inf] * 15)
    nearest = distances.argmin(1)
    assert (nearest // 5 == np.arange(15) // 5).all()


@pytest.mark.parametrize("shape", [(1, 8), (2, 8), (3, 8), (4, 8), (2, 1), (5, 1)])
def test_few_classes_and_narrow_layers_have_places(shape: tuple[int, int], no_umap: None) -> None:
    vectors = np.random.default_rng(0).normal(size=shape)
    coordinates, remarks, missing = projections.project_all(vectors)
    assert coordinates.keys() == remarks.keys() and coordinates.keys() | missing.keys() == {
        "PCA", "t-SNE", "UMAP"
    }  # fmt: skip
    assert ("t-SNE" in missing) is (shape[0] < 2)
    for plane in coordinates.values():
        assert plane.shape == (shape[0], 2) and np.isfinite(plane).all()


def test_equal_vectors_are_no_error(no_umap: None) -> None:
    coordinates, _, _ = projections.project_all(np.ones((6, 4)))
    assert all(np.isfinite(plane).all() for plane in coordinates.values())
    assert projections.cluster(np.ones((6, 4)), 3).max() == 0


def test_without_its_package_umap_is_left_out(no_umap: None) -> None:
    _, _, missing = projections.project_all(grouped())
    assert missing == {"UMAP": "UMAP needs a package: pip install 'emoji_pred[figures]'"}


@pytest.mark.slow
def test_umap() -> None:
    pytest.importorskip("umap", reason="umap-learn is not installed: pip install 'emoji_pred[figures]'")
    vectors = grouped(5, 8)
    places, remark = projections.umap(vectors, 0)
    assert remark == "15 neighbours" and np.isfinite(places).all()
    np.testing.assert_array_equal(places, projections.umap(vectors, 0)[0])
    for few in (4, 5, 8, 11):
        found, _ = projections.umap(np.random.default_rng(0).normal(size=(few, 16)), 0)
        assert found.shape == (few, 2) and np.isfinite(found).all()
    with pytest.raises(UserError, match="4 classes or more"):
        projections.umap(vectors[:3], 0)


# --- clusters


def test_clusters_are_found_and_numbered_by_size() -> None:
    vectors = np.concatenate([grouped(1, 3), grouped(2, 5)[5:], grouped(3, 2)[4:]])
    assert projections.cluster(vectors, 3).tolist() == [1] * 3 + [0] * 5 + [2] * 2
    assert projections.cluster(vectors, len(vectors)).tolist() == list(range(10))
    for wrong in (0, 11):
        with pytest.raises(UserError, match="there are 10 classes"):
            projections.cluster(vectors, wrong)


def test_the_number_of_clusters_is_the_papers_in_proportion() -> None:
    counts = {1: 1, 2: 2, 3: 2, 7: 2, 12: 3, 20: 5, 62: 15, 148: 15}
    assert {classes: projections.default_clusters(classes) for classes in counts} == counts


def test_the_nearest_labels_by_hand() -> None:
    vectors = np.array([[2.0, 0.0], [3.0, 3.0], [0.0, 1.0], [0.0, 0.0]])
    near = projections.nearest_labels(vectors, 2)
    half = 0.5**0.5
    assert [other for other, _ in near[0]] == [1, 2]
    np.testing.assert_allclose([cosine for _, cosine in near[0]], [half, 0], atol=1e-12)
    assert [other for other, _ in near[2]] == [1, 0]
    assert [cosine for _, cosine in near[3]] == [0, 0]
    assert projections.nearest_labels(np.ones((1, 2))) == [[]]


# --- where marks stand


def overlaps(places: np.ndarray, sizes: np.ndarray) -> int:
    apart = np.abs(places[:, None] - places[None])
    hidden = (apart < (sizes[:, None] + sizes[None]) / 2 - 0.5).all(-1)
    return int(np.triu(hidden, k=1).sum())


@pytest.mark.parametrize("places", ["random", "one place", "a line"])
def test_marks_do_not_hide_each_other(places: str) -> None:
    count = 62
    start = {
        "random": np.random.default_rng(0).normal(size=(count, 2)) ** 3,
        "one place": np.zeros((count, 2)),
        "a line": np.stack([np.linspace(0, 1, count), np.zeros(count)], axis=1),
    }[places]
    sizes = mark_sizes(["😂"] * count, [True] * count)
    before = fit(start)
    after = spread(before, sizes)
    # Of a heap, in which all 1,891 pairs hide each other, some may still touch.
    assert overlaps(before, sizes) > 20 and overlaps(after, sizes) <= (10 if places == "one place" else 0)
    assert (after >= sizes / 2 - 1e-9).all() and (after <= SIDE - sizes / 2 + 1e-9).all()


def test_marks_that_do_not_meet_stay_where_they_are() -> None:
    far = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    places = fit(far)
    np.testing.assert_allclose(spread(places, np.full((3, 2), 20.0)), places, atol=0.01)
    assert places[0, 1] > places[1, 1]  # the second axis of a plane points upwards, that of a page down


# --- page and tables


class Parts(html.parser.HTMLParser):
    """Elements, addresses, and the text within scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script":
            self.scripts[-1] += data


def page_of(labels: list[Label]) -> str:
    plane = np.arange(8.0).reshape(4, 2)
    return render(
        labels, {"PCA": plane, "t-SNE": -plane}, {"PCA": "x", "t-SNE": "y"}, {"UMAP": "no <b>"}, RESULT
    )


def test_the_page_is_whole_and_takes_labels_for_text(labels: list[Label]) -> None:
    text = page_of(labels)
    parts = Parts(text)
    assert parts.tags.count("script") == 2 and parts.addresses == []  # nothing is loaded, nothing smuggled in
    assert not re.findall(r"__[A-Z]+__|https?://(?!www\.w3\.org/)|@import|url\(", text)
    data = json.loads(parts.scripts[0])
    assert [one["shown"] for one in data["labels"]][:3] == ["😂", "❤️", "a|b"]
    assert [one["rows"] for one in data["labels"]] == [40, 30, 20, 1234]
    assert [one["f1"] for one in data["labels"]] == [0.5, 0.25, 0.25, 0.0]
    assert data["places"].keys() == {"PCA", "t-SNE"} and data["missing"] == {"UMAP": "no <b>"}
    assert "UMAP is left out: no &lt;b&gt;." in text and "data &lt;mine&gt;" in text
    assert data["first"] == "t-SNE" and data["clusters"] == 2
    assert 'data-cluster="1"' in text and "&lt;/script&gt;" in text


def test_labels_without_figures_say_so(labels: list[Label]) -> None:
    bare = {
        "run": "x",
        "label_names": ["a", "b"],
        "validation": {"macro_f1": 0.5, "per_class": [{"f1": 0.5}] * 2},
    }
    one, two = describe(["a", "b"], bare, np.array([0, 0]), [[(1, 0.5)], [(0, 0.5)]])
    assert (one.rows, one.f1, one.near, two.is_emoji) == (None, 0.5, (("b", 0.5),), False)
    text = clusters_markdown([one, two], bare)
    assert (
        "| cluster | members | classes | mean F1 (validation) |\n|---|---|---|---|\n| 1 | 2 | a, b | 0.500 |"
        in text
    )


def test_clusters_as_the_paper_prints_them(labels: list[Label]) -> None:
    text = clusters_markdown(labels, RESULT)
    assert "| cluster | members | classes | training rows | mean F1 (test) |\n|---|---|---|---|---|\n" in text
    assert "| 1 | 2 | 😂 ❤️ | 70 | 0.375 |" in text
    assert "| 2 | 2 | a\\|b, \\</script\\>\\<scrip… | 1254 | 0.125 |" in text
    many = [Label("a", "a", "a", False, 1, 0.5, number, ()) for number in (0,) * 7 + (1,) * 2 + (2,)]
    printed, others = clusters_markdown(many, RESULT).split("The others")
    assert "| 2 | 2 |" in printed and "| 1 | 7 |" not in printed
    assert "| 1 | 7 |" in others and "| 3 | 1 |" in others


def test_coordinates_are_those_of_the_projections(labels: list[Label]) -> None:
    plane = np.arange(8.0).reshape(4, 2)
    rows = list(csv.DictReader(coordinates_csv(labels, {"PCA": plane, "t-SNE": -plane}).splitlines()))
    assert [row["label"] for row in rows] == RESULT["label_names"]
    assert (rows[2]["pca_x"], rows[2]["pca_y"], rows[2]["tsne_x"]) == ("4", "5", "-4")
    assert (rows[0]["cluster"], rows[0]["training_rows"], rows[0]["f1"]) == ("1", "40", "0.5")


# --- the picture


def test_the_picture_has_names_where_there_is_no_font(labels: list[Label]) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'emoji_pred[figures]'")
    import io

    from PIL import Image

    plane = np.arange(8.0).reshape(4, 2)
    drawn = figure.draw(
        labels, {"PCA": plane, "t-SNE": plane}, {"PCA": "", "t-SNE": ""}, "a $ title 😂", None
    )
    with Image.open(io.BytesIO(drawn)) as picture:
        assert picture.format == "PNG" and picture.width > 1.7 * picture.height
        pixels = np.asarray(picture.convert("L"))
    assert (pixels < 100).mean() > 0.005  # letters and frames


def test_emoji_are_drawn_from_a_colour_font() -> None:
    pytest.importorskip("PIL", reason="Pillow comes with matplotlib: pip install 'emoji_pred[figures]'")
    font = figure.find_emoji_font()
    if font is None:
        pytest.skip("no colour emoji font on this machine")
    laughing, heart = font.picture("😂"), font.picture("❤️")
    assert laughing.shape[2] == 4 and min(laughing.shape[:2]) > 50
    assert heart[..., 0].mean() > 2 * heart[..., 2].mean()  # red, not blue


def test_a_font_without_colours_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="its font is used here: pip install 'emoji_pred[figures]'")
    import matplotlib

    plain = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    no_font = tmp_path / "no_font.ttf"
    no_font.write_bytes(b"not a font")
    for path in (plain, no_font, tmp_path / "missing.ttf"):
        with pytest.raises(UserError, match="no coloured emoji"):
            figure.EmojiFont(path)


# --- the command


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], no_umap: None) -> Callable[..., Ended]:
    def ended(*arguments: str) -> Ended:
        capsys.readouterr()
        code = 0
        try:
            embeddings_command.main(list(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capsys.readouterr())

    return ended


@pytest.fixture(scope="module")
def directory(train: Callable[..., Any], quick: Callable[..., list[str]]) -> Path:
    place: Path = train(*quick("ffn")).directory
    return place


def test_the_command_writes_page_tables_and_picture(
    command: Callable[..., Ended], directory: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'emoji_pred[figures]'")
    ended = command(
        directory.name[:10], "--runs-dir", str(directory.parent), "--out", str(tmp_path / "a" / "b")
    )
    assert ended.code == 0 and "12 classes, vectors of 8" in ended.out and "left out: UMAP" in ended.err
    written = {path.name for path in (tmp_path / "a" / "b").iterdir()}
    assert written == {"page.html", "embeddings.png", "clusters.md", "coordinates.csv"}
    result = json.loads((directory / runs.RESULT).read_text())
    counts = result["provenance"]["class_counts"]
    assert sum(counts) == result["provenance"]["rows"]["train"] == 210
    rows = list(csv.DictReader((tmp_path / "a" / "b" / "coordinates.csv").read_text().splitlines()))
    assert [int(row["training_rows"]) for row in rows] == counts
    assert [float(row["f1"]) for row in rows] == [one["f1"] for one in result["test"]["per_class"]]
    page = (tmp_path / "a" / "b" / "page.html").read_text(encoding="utf-8")
    assert directory.name in page and "UMAP is left out" in page


def test_labels_learned_as_one_cluster_have_one_vector(
    command: Callable[..., Ended],
    train: Callable[..., Any],
    quick: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    trained = train(*quick("ffn", "data.clusters=[['❤','😊'],['😭','😡','🤢']]"))
    assert command(str(trained.directory), "--out", str(tmp_path)).code == 0
    rows = {
        row["label"]: row for row in csv.DictReader((tmp_path / "coordinates.csv").read_text().splitlines())
    }
    assert len(rows) == 12
    assert rows["❤"]["pca_x"] == rows["😊"]["pca_x"] != rows["😂"]["pca_x"]
    assert rows["😭"]["cluster"] == rows["😡"]["cluster"] == rows["🤢"]["cluster"]


def test_without_matplotlib_the_picture_is_left_out(
    command: Callable[..., Ended], directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    ended = command(str(directory), "--out", str(tmp_path), "--clusters", "4")
    assert ended.code == 0 and "embeddings.png needs a package" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "clusters.md", "coordinates.csv"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--clusters", "13"), "--clusters 13: there are 12 classes"),
        (("--clusters", "0"), "--clusters 0"),
        (("--seed", "-1"), "--seed -1"),
    ],
)
def test_mistakes_are_one_line(
    command: Callable[..., Ended], directory: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    ended = command(str(directory), "--out", str(tmp_path), *arguments)
    assert ended.code == 2 and message in ended.error


def test_a_place_that_cannot_be_written(
    command: Callable[..., Ended], directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert "cannot be made" in command(str(directory), "--out", str(tmp_path / "file" / "x")).error
    assert "there is no result.json" in command(str(tmp_path), "--out", str(tmp_path / "y")).error
