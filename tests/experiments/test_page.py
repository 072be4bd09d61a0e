"""The report as one page: what it says, that nothing in it becomes markup, and that a browser can use it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from invented_runs import (
    ALONE,
    COMMENT,
    LABELS,
    PICTURE,
    SCRIPT,
    SEEDED,
    a_paper,
    a_result,
    put,
)

from experiments.measured import Shelf
from experiments.page import render, write
from experiments.profiles import planned
from experiments.table import Experiment, Metric, Paper, Table, experiment_row

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invented runs: two seeds of one experiment, one run of another."""
    results = tmp_path_factory.mktemp("results") / "runs"
    put(SEEDED, results, (0.30, 0.34))
    put(ALONE, results, (0.625,))
    return results


@pytest.fixture(scope="module")
def page(results: Path) -> Path:
    """The page of the invented paper."""
    (results.parent / "audit" / "invented").mkdir(parents=True)
    path = results.parent / "report.html"
    write((a_paper(),), Shelf(results), path)
    return path


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
    assert cells == {"inconclusive", "not-comparable", "not-run", "not-published", "reproduced"}
    assert "?inconclusive: 0.320" in elements.text
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


def test_two_hundred_runs_of_62_labels_are_quick_and_small(tmp_path: Path) -> None:
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
    began = time.process_time()
    page = render((Paper("many", "Many", "", (table,)),), shelf)
    assert time.process_time() - began < 5
    assert len(page.encode()) < 6_000_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser is installed: {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


WIDTHS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture(params=WIDTHS, ids=str)
def tab(request: pytest.FixtureRequest, browser: Any, page: Path) -> Iterator[Any]:
    """The page in a window of some width, light or dark; in the end nothing was wrong, nothing asked for."""
    width, scheme = request.param
    phone = width < 500
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, is_mobile=phone, has_touch=phone
    )
    tab, complaints, asked = context.new_page(), [], []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}") or dialog.dismiss())
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    yield tab
    assert complaints == []
    assert asked == [page.as_uri()]
    context.close()


def test_in_a_browser_a_cell_opens_its_runs(tab: Any, tmp_path: Path) -> None:
    names = [run.name for run in planned(SEEDED)]
    tab.screenshot(path=tmp_path / "page.png", full_page=True)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.locator("figure[data-curves] svg").count() == 2

    tab.click('[id="invented.1"] button[data-cell] >> nth=0')
    panel = tab.locator("#panel")
    assert panel.is_visible()
    for name in names:
        assert name in panel.inner_text()
    tab.click(f"#panel summary:has-text('{names[0]}')")
    tab.wait_for_selector("#panel .matrix")  # what is folded is made when it is opened
    words = panel.inner_text()
    for wanted in (
        "model=ffn seed=0",
        "0123456789abcdef + changes",
        f"odd: {PICTURE}",
        "Linux x86_64",
        "2026-01-02",
    ):
        assert wanted in words
    assert panel.locator("svg[aria-label='Confusion matrix'] rect").count() == 16
    tab.click("#panel summary:has-text('Configuration')")
    tab.wait_for_selector("#panel pre")
    assert COMMENT in panel.inner_text()
    tab.click("#panel summary:has-text('Precision, recall and F1')")
    tab.wait_for_selector("#panel .perclass")
    assert SCRIPT in panel.inner_text()
    # The second is a class without a row in the table.
    assert "red heart" in panel.locator(".perclass").inner_text()
    assert "face with tears of joy" in panel.locator(".perclass").inner_text()
    assert panel.locator(".matrix").get_by_text("red heart", exact=True).count() == 2  # across and down
    assert tab.evaluate(
        "document.documentElement.scrollWidth <= innerWidth && panel.scrollWidth <= panel.clientWidth"
    )
    tab.screenshot(path=tmp_path / "panel.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000

    tab.keyboard.press("Escape")
    assert not panel.is_visible()
    # Where the reader was: the cell that was clicked.
    assert tab.evaluate("document.activeElement.dataset.cell") is not None
    tab.keyboard.press("Enter")
    assert panel.is_visible()


def test_in_a_browser_cells_are_filtered_and_searched(tab: Any) -> None:
    rows = tab.locator('[id="invented.1"] tbody tr:visible')
    assert rows.count() == 4
    tab.click(".filters button[data-v=not-run]")
    assert rows.count() == 2
    tab.click(".filters button[data-v=not-run]")
    for asked in ("❤", "❤\ufe0f", "Red Heart"):
        tab.fill("#search", asked)
        assert rows.count() == 1
        assert "red heart" in rows.first.inner_text()
    tab.fill("#search", "nothing like this")
    assert not tab.locator('[id="invented.1"]').is_visible()
    assert tab.locator("#found").inner_text() == "0 cells in 0 tables"


def test_in_a_browser_a_link_to_a_cell_and_the_switch_of_light_work(tab: Any) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    before = tab.evaluate(colour)
    seen = {before}
    for _ in range(2):
        tab.click("#theme")
        seen.add(tab.evaluate(colour))
    assert len(seen) == 2
    tab.evaluate("location.hash = '#invented.1-2-1'")
    tab.wait_for_selector("#panel[open]")
    assert "not comparable" in tab.locator("#panel").inner_text()
    assert "python train.py data=tweeteval model=bert seed=0" in tab.locator("#panel").inner_text()


@pytest.mark.parametrize("tab", WIDTHS[2:], indirect=True, ids=str)
def test_on_a_phone_the_verdicts_are_one_line_that_scrolls(tab: Any) -> None:
    buttons = tab.locator(".filters button").evaluate_all("all => all.map(one => one.offsetTop)")
    assert len(buttons) == 5 and len(set(buttons)) == 1
    assert tab.evaluate("document.querySelector('.controls').offsetHeight") < 80
    filters = tab.locator(".filters")
    assert filters.get_attribute("data-more") == "right"
    filters.evaluate("box => { box.scrollLeft = 30; }")
    tab.wait_for_selector(".filters[data-more='left right']")
    filters.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    tab.wait_for_selector(".filters[data-more=left]")
    tab.click(".filters button >> nth=-1")
    assert tab.locator("#found").is_visible()


@pytest.mark.parametrize("tab", WIDTHS[2:], indirect=True, ids=str)
def test_on_a_phone_a_wide_table_scrolls_and_shows_where_there_is_more(tab: Any) -> None:
    shadow = "box => getComputedStyle(box, '::after').content"
    box = tab.locator('[id="invented.1"] > .scroll')
    assert box.get_attribute("data-more") == "right"
    assert box.evaluate(shadow) == '""'
    box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    tab.wait_for_selector('[id="invented.1"] > .scroll[data-more=left]')
    assert box.evaluate(shadow) == "none"
    # The label of a row stays in sight.
    assert box.locator("tbody th").first.evaluate("head => head.getBoundingClientRect().left") < 40
    beyond = """[...document.body.querySelectorAll("*")].filter(one => one.checkVisibility()
        && one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll, .filters"))"""
    assert tab.evaluate(f"{beyond}.map(one => one.outerHTML.slice(0, 80))") == []


@pytest.mark.parametrize("tab", WIDTHS[2:], indirect=True, ids=str)
def test_on_a_phone_a_finger_finds_the_buttons(tab: Any) -> None:
    tab.click('[id="invented.1"] button[data-cell] >> nth=0')
    small = """[...document.querySelectorAll("button, input")].filter(one => one.checkVisibility()
        && one.getBoundingClientRect().height < 44)"""
    assert tab.evaluate(f"{small}.map(one => one.outerHTML.slice(0, 80))") == []
