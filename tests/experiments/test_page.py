"""The report as one page: what it says, and that nothing in it becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from invented_runs import (
    COMMENT,
    LABELS,
    PICTURE,
    SCRIPT,
    SEEDED,
    a_paper,
    a_result,
    put,
    put_page,
)

from experiments.measured import Shelf
from experiments.page import render
from experiments.profiles import planned
from experiments.table import Experiment, Metric, Paper, Table, experiment_row

VOID = {"meta", "input", "br", "i", "img", "link"}


class Elements(HTMLParser):
    """What a browser would make of the page: its elements, and the text of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put_page(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def results(page: Path) -> Path:
    return page.parent / "runs"


@pytest.fixture(scope="module")
def elements(page: Path) -> Elements:
    return Elements(page.read_text(encoding="utf-8"))


def data_of(elements: Elements) -> dict[str, Any]:
    return dict(json.loads(elements.scripts[0]))


def test_a_cell_shows_what_was_measured_and_published(elements: Elements) -> None:
    # By hand: the mean of 0.30 and 0.34 is 0.32, their deviation 0.02828; Student's t for one degree of
    # freedom is 12.706, so the mean reaches 12.706 * 0.02828 / sqrt(2) = 0.254 to each side.
    assert "0.320 ± 0.254" in elements.text
    assert "paper 0.31 · +0.010" in elements.text
    assert "2 seeds" in elements.text


def test_verdicts_have_a_sign_and_a_word(elements: Elements) -> None:
    cells = {
        attributes["data-v"] for tag, attributes in elements.found if tag == "td" and "data-v" in attributes
    }
    # One interval is half a point wide, the other run has a stand-in, and two experiments have no run.
    assert cells == {"inconclusive", "not-comparable", "not-run", "not-published", "same"}
    assert "?inconclusive: 0.320" in elements.text and "=same: 8" in elements.text
    assert "a small model for the paper's" in elements.text


def test_what_was_not_run_has_its_reason_and_its_command(elements: Elements) -> None:
    assert "out of reach: the weights cannot be had" in elements.text
    assert "python train.py data=telegram_rus encoder=rubert seed=0" in elements.text
    assert "python train.py -m data=sample data.rows=300 model=cnn seed=0,1" in elements.text


def test_contradictions_and_the_rule_stand_there(elements: Elements) -> None:
    assert "0.5 and 0.6 are both printed" in elements.text
    assert "A published number is reproduced where" in elements.text


def test_nothing_from_runs_or_tables_becomes_markup(elements: Elements) -> None:
    tags = [tag for tag, _ in elements.found]
    assert tags.count("script") == 2
    assert not {"img", "iframe", "link", "object", "embed"} & set(tags)
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    assert PICTURE in elements.text
    assert SCRIPT in elements.text


def test_the_data_of_a_run_are_whole(elements: Elements, results: Path) -> None:
    data = data_of(elements)
    names = [run.name for run in planned(SEEDED)]
    assert set(names) < set(data["runs"]) and len(data["runs"]) == 3
    run = data["runs"][names[0]]
    own = json.loads((results / names[0] / "result.json").read_text(encoding="utf-8"))
    assert data["shared"][run["labels"]] == list(LABELS)
    assert {group: data["shared"][place] for group, place in run["config"].items()} == own["config"]
    assert data["shared"][run["config"]["data"]]["note"] == COMMENT
    assert data["shared"][run["data"]]["files"] == {"a.txt": "blob9876"}
    assert data["shared"][run["overrides"]] == own["overrides"]
    flat = [count for row in own["test"]["confusion_matrix"] for count in row]
    assert run["splits"]["test"]["confusion"] == flat
    assert run["curves"]["val_loss"] == [2.5, 1.5, 0.5]
    assert run["command"] == "python train.py data=sample data.rows=300 model=ffn seed=0"
    assert (run["code"], run["dirty"]) == ("0123456789abcdef", True)
    assert run["warnings"] == [f"odd: {PICTURE}"]


def test_the_page_asks_for_nothing(elements: Elements, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None and "url(" not in style[1] and "@import" not in style[1]
    sources = [
        attributes[name]
        for _, attributes in elements.found
        for name in ("src", "srcset")
        if name in attributes
    ]
    assert sources == []
    (policy,) = [
        attributes["content"]
        for tag, attributes in elements.found
        if tag == "meta" and "http-equiv" in attributes
    ]
    digest = base64.b64encode(hashlib.sha256(elements.scripts[1].encode()).digest()).decode()
    assert policy is not None and "default-src 'none'" in policy and f"script-src 'sha256-{digest}'" in policy


def test_every_link_within_the_page_leads_somewhere(elements: Elements) -> None:
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    wanted = [str(attributes["href"]) for tag, attributes in elements.found if tag == "a"]
    assert len(ids) == len(set(ids))
    assert [link for link in wanted if link.startswith("#") and link[1:] not in ids] == []
    assert {"#invented.1", "#invented.figure1", "#invented.1.finding", "audit/invented/audit.html"} <= set(
        wanted
    )


def test_an_audit_says_that_it_is_another_file(elements: Elements, results: Path) -> None:
    """Its link is dead where the page was sent on alone."""
    place = "audit of invented (another file: results/audit/invented/audit.html of the repository)"
    assert place in elements.text
    alone = Elements(render((a_paper(),), Shelf(results)))
    assert place in alone.text
    assert "audit/invented/audit.html" not in [attributes.get("href") for _, attributes in alone.found]


def test_cells_of_findings_are_not_counted_again(elements: Elements, results: Path) -> None:
    """The table has 7 cells; the two bars of the finding show cells of it, and are no more than these."""
    assert "7 cells of 1 table, measured by 3 runs." in elements.text
    page = (results.parent / "report.html").read_text(encoding="utf-8")
    chips = dict(re.findall(r"</i>([a-z ]+) <b>(\d+)</b></button>", page))
    # Accuracy of the first row, its rows and its macro F1, two of a stand-in, three cells without a run.
    counts = {"inconclusive": "1", "same": "1", "not comparable": "2", "not run": "2", "not published": "1"}
    assert chips == counts


def test_emoji_have_their_english_name(elements: Elements) -> None:
    assert data_of(elements)["names"] == {"❤": "red heart", "😂": "face with tears of joy"}
    titles = [attributes["title"] for _, attributes in elements.found if attributes.get("class") == "named"]
    assert "red heart" in titles and "red heart" in elements.text


def test_urdu_is_said_to_be_urdu_and_emoji_take_an_emoji_font(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert '<bdi lang="ur" dir="rtl">خوشی</bdi>' in text


def test_nothing_measured_is_a_page_too(tmp_path: Path) -> None:
    elements = Elements(render((a_paper(),), Shelf(tmp_path)))
    cells = [
        attributes["data-v"] for tag, attributes in elements.found if tag == "td" and "data-v" in attributes
    ]
    assert set(cells) == {"not-run"}
    assert data_of(elements)["runs"] == {}


def test_two_hundred_runs_of_62_labels_stay_small(tmp_path: Path) -> None:
    results, labels = tmp_path / "runs", tuple(chr(0x1F600 + place) for place in range(62))
    experiments = [Experiment(("data=sample", f"data.rows={300 + place}"), seeds=10) for place in range(20)]
    one = put(SEEDED, tmp_path / "answers", (0.3, 0.4))[0]
    for experiment in experiments:
        for seed, run in enumerate(planned(experiment)):
            shutil.copytree(tmp_path / "answers" / one, results / run.name)
            result = json.dumps(a_result(run.name, seed, 0.3 + seed / 100, labels))
            (results / run.name / "result.json").write_text(result, encoding="utf-8")
    metrics = [Metric(f"F1 of {label}", f"per_class/{label}/f1") for label in labels]
    rows = tuple(
        experiment_row(f"row {place}", one, metrics, [0.3] * 62) for place, one in enumerate(experiments)
    )
    table = Table("many.1", "Many", tuple(metric.name for metric in metrics), rows)
    shelf = Shelf(results)
    for row in rows:
        for cell in row.cells:
            assert cell is not None and len(shelf.measured(cell).values) == 10
    page = render((Paper("many", "Many", "", (table,)),), shelf)
    assert len(page.encode()) < 6_000_000
