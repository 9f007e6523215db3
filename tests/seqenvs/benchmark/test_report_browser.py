"""The page as a reader has it: headless Chromium clicks, drags, types and reads.

Needs selenium, and Debian's chromium and chromium-driver.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("selenium")
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from seqenvs.benchmark.report import write_report
from tests.seqenvs.benchmark.synthetic import MLP, SUITE, write_suite

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.full,
    pytest.mark.skipif(not Path(DRIVER).exists(), reason="needs chromium and chromium-driver"),
]

EVIL = "</script><img src=x onerror=alert(1)>"
CLASSIFY = {"id": "SeqClassify-v0", "agents": ["agents:BiLSTM", f"evil:{EVIL}"]}
FIGURES = ["finding", "horizon-echo", "capacity", "generalisation-1"]
FIGURES += ["curves-steps", "curves-seconds", "accuracy"]


class Browser:
    """Chromium with the page in it."""

    def __init__(self, address, folder):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in ("headless", "no-sandbox", "disable-gpu", f"user-data-dir={folder}"):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.command = self.driver.execute_cdp_cmd
        self.run = self.driver.execute_script
        downloads = {"behavior": "allow", "downloadPath": str(folder)}
        self.command("Browser.setDownloadBehavior", downloads)
        self.address, self.folder = address, folder

    def open(self, *, scheme="light", width=1280):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.command("Emulation.setEmulatedMedia", media)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.command("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get(self.address)
        self.until(lambda: self.all("body[data-ready]"))  # which is set last

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def column(self, table, index):
        cells = self.all(f'[aria-label="{table}"] tbody tr > :nth-child({index})')
        return [cell.get_attribute("textContent") for cell in cells]

    def show(self, selector):
        script = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
        self.run(script, self.one(selector))

    def until(self, condition):
        return WebDriverWait(self.driver, 20, poll_frequency=0.05).until(lambda _: condition())

    def drawn(self, name):
        """Wait until a figure is there, and return it."""
        self.show(f"#{name}-chart")
        return self.until(lambda: self.all(f"#{name}-chart svg.marks"))[0]

    def player(self):
        """The rows of the player's table without their heads."""
        return self.run(
            "return [...document.querySelectorAll('#player-table tr')]"
            ".map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent))"
        )


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    suite = replace(SUITE, matrix=[*SUITE.matrix, CLASSIFY])
    write_suite(folder, suite, skip=lambda job: (job.agent, job.seed) == (MLP, 2))
    (folder / "jobs" / "0123456789abcdef.json").write_text("{")
    browser = Browser(write_report(folder, folder)[0].as_uri(), tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.driver.quit()


@pytest.fixture(autouse=True)
def _open(browser):
    browser.open()
    yield
    # Nothing was fetched either: the page's policy forbids it, and the console would say so.
    assert [entry["message"] for entry in browser.driver.get_log("browser")] == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_everything_is_drawn_and_nothing_sticks_out(browser, width, scheme):
    browser.open(scheme=scheme, width=width)
    for name in FIGURES:
        drawn, outer = browser.drawn(name), browser.one(f"#{name}-chart").rect
        assert 0.8 * outer["width"] < drawn.rect["width"] <= outer["width"] + 1, name
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_what_the_page_says_and_sorts(browser):
    assert "RecurrentPPO, which learned from rewards, remembers" in browser.one(".answer").text
    assert "2 missing runs · 1 damaged file" in browser.one("#facts").text
    missing = browser.one("#missing").text
    assert MLP in missing and "0123456789abcdef.json" in missing
    names = browser.column("Overview", 1)
    assert EVIL in names and not browser.all("img")  # a name is never markup
    horizon = (browser.column("Memory horizon: echo", i) for i in (1, 3))
    assert list(zip(*horizon, strict=True)) == [("LSTM", "4"), ("RecurrentPPO", "2")]
    heads = browser.all('[aria-label="Overview"] th button')
    browser.show("#leaderboard")
    heads[0].click()
    assert browser.column("Overview", 1) == sorted(names, key=lambda name: name.strip("<").lower())
    heads[2].send_keys(Keys.ENTER)
    scores = [float(text.split()[0]) for text in browser.column("Overview", 3)]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True)
    heads[2].send_keys(Keys.ENTER)
    assert browser.column("Overview", 1) == names[::-1]


def test_figures_can_be_chosen_and_saved(browser):
    def lines():
        return len(browser.all("#horizon-echo-chart svg.marks .mark-line path"))

    browser.drawn("horizon-echo")
    browser.until(lambda: lines() == 2)
    browser.one('#horizon .chips [data-agent="LSTM"]').send_keys(Keys.SPACE)
    browser.until(lambda: lines() == 1)
    for format in ("SVG", "PNG"):
        button = browser.one(f'[aria-label="Save the figure horizon-echo as {format}"]')
        browser.run("arguments[0].click()", button)
    svg, png = (browser.folder / f"horizon-echo.{format}" for format in ("svg", "png"))
    browser.until(lambda: svg.exists() and png.exists())
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text("utf-8")
    assert "RecurrentPPO" in text and "right answers" in text and "<svg" in text


def test_the_player(browser):
    browser.show("#player")
    _, inputs, due, answers, verdicts, _ = browser.player()
    assert inputs[0] != "" and inputs[1:] == [""] * 9  # the future is hidden
    assert due[0] == answers[0] == verdicts[0] == "·"
    browser.one("#player-forward").click()
    _, inputs, due, answers, verdicts, sure = browser.player()
    assert due[1] == inputs[0] and inputs[2:] == [""] * 8  # it is an echo
    assert (verdicts[1] == "✓") == (answers[1] == due[1]) and sure[1].endswith("%")
    browser.one("#player-back").click()
    assert browser.player()[1][1] == "" and not browser.one("#player-back").is_enabled()

    slider, count = browser.one("#player-time"), browser.one("#player-count")
    slider.send_keys(Keys.END)
    assert "" not in browser.player()[1] and not browser.one("#player-forward").is_enabled()
    slider.send_keys(Keys.HOME)
    width = slider.rect["width"]
    drag = ActionChains(browser.driver).move_to_element_with_offset(slider, -width / 2 + 8, 0)
    drag.click_and_hold().move_by_offset(width / 2, 0).release().perform()
    assert count.text in ("5 of 10", "6 of 10")
    play = browser.one("#player-play")
    play.send_keys(Keys.ENTER)
    browser.until(lambda: count.text == "8 of 10")
    play.click()
    assert play.text == "Play"

    button = '[aria-label="Play episodes of BiLSTM on SeqClassify-v0"]'
    browser.show(button)
    browser.one(button).click()
    assert "saw the whole episode" in browser.one("#player-note").text
    seen = set()
    for seed in ("0", "1", "2"):
        for name, value in (("seed", seed), ("episode", "4")):
            Select(browser.one(f"#player-{name}")).select_by_visible_text(value)
        slider.send_keys(Keys.END)
        seen.add(tuple(browser.player()[1]))
    assert len(seen) == 3
