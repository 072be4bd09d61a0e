"""The report in a real browser: cells open, are filtered and searched; phones, light and dark, no error."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from invented_runs import COMMENT, PICTURE, SCRIPT, SEEDED, put_page

from experiments import figures
from experiments.profiles import planned

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put_page(tmp_path_factory.mktemp("results"))


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


def test_in_a_browser_curves_have_the_colours_of_the_figures(tab: Any) -> None:
    """Training blue and validation orange, as in the SVG files, so that nobody reads one for the other."""
    assert figures.SPLITS == {"train": ("training", figures.BLUE), "val": ("validation", figures.ORANGE)}
    for kind, is_blue in (("train", True), ("val", False)):
        line = tab.locator(f"figure[data-curves] .series.{kind}").first
        red, _, blue = re.findall(r"\d+", line.evaluate("line => getComputedStyle(line).stroke"))[:3]
        assert (int(blue) > int(red)) == is_blue
        word = tab.locator(f"figure[data-curves] .word.{kind}").first
        assert word.evaluate("word => getComputedStyle(word).fill") == line.evaluate(
            "line => getComputedStyle(line).stroke"
        )


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
