"""The page as a reader has it: headless Chromium clicks, drags, types and reads.

Needs selenium, and Debian's chromium and chromium-driver.
"""

from __future__ import annotations

import json

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from seqenvs.benchmark.report import write_report
from seqenvs.benchmark.results import write_cell
from seqenvs.benchmark.suites import Suite
from tests.seqenvs.benchmark.synthetic_cells import make_result

pytestmark = pytest.mark.browser

EVIL = "evil:</script><img src=x onerror=alert(1)>"
SUITE = Suite(
    seeds=[0, 1, 2],
    steps_without_preset=100_000,
    matrix=[
        {"id": "SeqEcho-v0", "agents": ["recurrent_ppo", "lstm", "mlp", EVIL]},
        {"id": "SeqNext-v0", "agents": ["lstm", "mlp"]},
        {"id": "SeqClassify-v0", "agents": ["lstm", "bilstm"]},
    ],
    horizon=[
        {"problem": "echo", "agents": ["lstm", "gru"], "steps": 100_000, "lags": [1, 4, 16, 64]},
        {"problem": "recall", "agents": ["lstm", "gru"], "steps": 100_000, "lags": [2, 8, 32]},
    ],
    capacity=[{"agents": ["lstm"], "steps": 100_000, "lengths": [2, 8, 32]}],
    generalisation=[
        {"id": "SeqEcho-v0", "length": 10, "agents": ["lstm"], "factors": [0.5, 1, 2, 4]},
    ],
)
CHARTS = [
    "horizon-echo",
    "horizon-recall",
    "capacity-chart",
    "curves-steps",
    "curves-seconds",
    "accuracy-chart",
]
SECTIONS = ["leaderboard", "horizon", "capacity", "generalisation", "curves", "accuracy", "player"]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    for cell in SUITE.cells():
        if (cell.agent, cell.seed) != ("mlp", 2):
            write_cell(folder, make_result(cell))
    (folder / "suite.json").write_text(SUITE.to_json())
    (folder / "cells" / "0123456789abcdef.json").write_text("{")
    return write_report(folder, folder)[1].as_uri()


class Browser:
    """Chromium with the page in it."""

    def __init__(self, address, profile):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (
            "headless",
            "no-sandbox",
            "disable-gpu",
            "disable-quic",
            "no-first-run",
            "disable-background-networking",
            "disable-component-update",
            "disable-sync",
            f"user-data-dir={profile}",
        ):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.address = address

    def open(self, *, dark=False, width=1280, still=False):
        self.media(dark, still)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get(self.address)

    def media(self, dark, still=False):
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else ""},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return self.driver.execute_script(script, selector)

    def run(self, script, *values):
        return self.driver.execute_script(script, *values)

    def show(self, name):
        script = "document.getElementById(arguments[0]).scrollIntoView({behavior: 'instant'})"
        self.run(script, name)

    def until(self, condition):
        return WebDriverWait(self.driver, 20, poll_frequency=0.05).until(lambda _: condition())

    def drawn(self, name):
        """Wait until a chart is there, and return it."""
        self.show(name)
        return self.until(lambda: self.all(f"#{name} svg.marks"))[0]

    def check_quiet(self):
        """No message in the console, and nothing fetched but the page."""
        assert [entry["message"] for entry in self.driver.get_log("browser")] == []
        events = [json.loads(each["message"]) for each in self.driver.get_log("performance")]
        sent = [
            event["message"]["params"]["request"]["url"]
            for event in events
            if event["message"]["method"] == "Network.requestWillBeSent"
        ]
        assert {url for url in sent if not url.startswith("data:")} <= {self.address}


@pytest.fixture(scope="module")
def chromium(address, tmp_path_factory):
    browser = Browser(address, tmp_path_factory.mktemp("profile"))
    browser.driver.get("about:blank")  # the page of a new tab has requests of its own
    yield browser
    browser.driver.quit()


@pytest.fixture
def browser(chromium):
    chromium.driver.get_log("browser")
    chromium.driver.get_log("performance")
    chromium.open()
    yield chromium
    chromium.check_quiet()


def column(browser, table, index):
    return browser.texts(f"{table} tbody tr > :nth-child({index})")


def number(text):
    return float(text.split()[-1].replace("\N{MINUS SIGN}", "-"))


def test_facts_and_every_section(browser):
    facts = browser.one("#facts").text
    assert (
        f"{len(SUITE.cells()) - sum(c.agent == 'mlp' and c.seed == 2 for c in SUITE.cells())} cells"
        in facts
    )
    assert "1 damaged file" in facts
    for link in browser.all("nav a"):
        assert browser.all(link.get_attribute("href").replace(browser.address, "") + " h2")
    assert "scipy.stats.bootstrap" in browser.one("#provenance").text
    assert "torch 2.13.0+cpu" in browser.one("#provenance").text


@pytest.mark.parametrize(
    ("dark", "width"), [(False, 1280), (True, 1280), (False, 390), (True, 390)]
)
def test_everything_is_drawn_and_nothing_sticks_out(browser, dark, width):
    browser.open(dark=dark, width=width)
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(19, 22, 26)" if dark else "rgb(255, 255, 255)")
    for name in CHARTS:
        box = browser.drawn(name)
        outer = browser.one(f"#{name}").rect
        assert 0.8 * outer["width"] < box.rect["width"] <= outer["width"] + 1, name
    browser.show("environments")
    rows = len(browser.all(".environment tbody tr"))
    browser.until(lambda: len(browser.all(".environment td.strip svg.marks")) == rows)
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_charts_follow_a_change_of_the_colour_scheme(browser):
    label = "return document.querySelector('#horizon-echo svg.marks text')?.getAttribute('fill')"
    browser.drawn("horizon-echo")
    light = browser.run(label)
    browser.media(dark=True)
    browser.until(lambda: browser.run(label) not in (None, light))


def test_the_overview_is_sorted_by_click_and_by_key(browser):
    names = column(browser, "#overview", 1)
    assert EVIL in names and names[0] in ("lstm", "recurrent_ppo")
    heading = browser.all("#overview th button")[0]
    heading.click()
    assert column(browser, "#overview", 1) == sorted(names, key=str.lower)
    assert browser.all("#overview th")[0].get_attribute("aria-sort") == "ascending"
    heading.send_keys(Keys.ENTER)
    assert column(browser, "#overview", 1) == sorted(names, key=str.lower, reverse=True)
    assert browser.all("#overview th")[0].get_attribute("aria-sort") == "descending"


def test_environments_are_sorted_by_their_memory_score(browser):
    table = "#environments .environment:first-child"
    scores = [number(text) for text in column(browser, table, 4)]
    assert len(scores) == 4 and scores == sorted(scores, reverse=True)
    browser.show("environments")
    browser.all(f"{table} th button")[2].click()
    assert [number(text) for text in column(browser, table, 4)] == sorted(scores)
    assert "none needed" in browser.texts("#environments .environment:nth-child(2) td")


def test_a_name_is_never_markup(browser):
    assert not browser.all("#overview img, .chips img, img[src=x]")
    assert EVIL in browser.texts(".chips label")


def test_agents_are_taken_from_the_charts_by_the_keyboard(browser):
    def lines(name):
        return len(browser.all(f"#{name} svg.marks .mark-line path"))

    browser.drawn("horizon-echo")
    browser.until(lambda: lines("horizon-echo") == 2)
    chip = next(
        each
        for each in browser.all("#horizon .chips input")
        if each.get_attribute("data-agent") == "gru"
    )
    chip.send_keys(Keys.SPACE)
    browser.until(lambda: lines("horizon-echo") == 1)
    browser.drawn("horizon-recall")
    browser.until(lambda: lines("horizon-recall") == 1)


def test_horizons_are_numbers(browser):
    horizons = dict(
        zip(
            column(browser, "#horizon-echo-table", 1),
            column(browser, "#horizon-echo-table", 2),
            strict=True,
        )
    )
    assert horizons == {"lstm": "16", "gru": "16"}
    assert "0.5" in browser.one("#horizon").text


def test_learning_curves_and_accuracies_of_another_environment(browser):
    browser.drawn("curves-steps")
    before = browser.one("#curves-steps").get_attribute("aria-label")
    Select(browser.one("#curves-environment")).select_by_visible_text("SeqClassify-v0")
    browser.until(
        lambda: (
            browser.all("#curves-steps svg.marks")
            and browser.one("#curves-steps").get_attribute("aria-label") != before
        )
    )
    assert "SeqClassify-v0" in browser.one("#curves-steps").get_attribute("aria-label")
    browser.drawn("accuracy-chart")
    Select(browser.one("#accuracy-environment")).select_by_visible_text(
        "SeqEcho-v0 lag=64 length=74"
    )
    browser.until(
        lambda: "lag=64" in (browser.one("#accuracy-chart").get_attribute("aria-label") or "")
    )


def shown(browser):
    """The rows of the player's table, without their heads."""
    script = (
        "return [...document.querySelectorAll('#player-table tr')]"
        ".map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent))"
    )
    return browser.run(script)


def test_the_future_is_hidden_until_its_time(browser):
    browser.show("player")
    steps, inputs, due, answers, verdicts, sure = shown(browser)
    assert steps == [str(i) for i in range(10)]
    assert inputs[0] != "" and inputs[1:] == [""] * 9
    assert due[0] == answers[0] == verdicts[0] == "·"
    assert "Time step 0" in browser.one("#player-now").text
    assert not browser.one("#player-back").is_enabled()
    browser.one("#player-forward").click()
    steps, inputs, due, answers, verdicts, sure = shown(browser)
    assert due[1] == inputs[0] and inputs[2:] == [""] * 8  # it is an echo
    assert (verdicts[1] == "✓") == (answers[1] == due[1])
    assert sure[1].endswith("%")
    said = browser.one("#player-now").text
    assert f"due {due[1]}" in said and f"answered {answers[1]}" in said and "sure" in said
    browser.one("#player-back").click()
    assert shown(browser)[1][1] == ""


def test_the_slider_is_dragged_and_moved_by_keys(browser):
    browser.show("player")
    slider = browser.one("#player-time")
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert slider.get_attribute("aria-valuetext") == "time step 2"
    slider.send_keys(Keys.END)
    assert "" not in shown(browser)[1]
    assert not browser.one("#player-forward").is_enabled()
    slider.send_keys(Keys.HOME)
    assert shown(browser)[1][1:] == [""] * 9
    width = slider.rect["width"]
    drag = ActionChains(browser.driver).move_to_element_with_offset(slider, -width / 2 + 8, 0)
    drag.click_and_hold().move_by_offset(width / 2, 0).release().perform()
    assert slider.get_attribute("value") in ("4", "5")
    assert browser.one("#player-count").text in ("5 of 10", "6 of 10")


def test_the_player_plays_and_pauses(browser):
    browser.show("player")
    play = browser.one("#player-play")
    play.send_keys(Keys.ENTER)
    assert (play.text, play.get_attribute("aria-pressed")) == ("Pause", "true")
    assert browser.one("#player-now").get_attribute("aria-live") == "off"
    browser.until(lambda: int(browser.one("#player-time").get_attribute("value")) >= 2)
    play.click()
    assert (play.text, play.get_attribute("aria-pressed")) == ("Play", "false")
    assert browser.one("#player-now").get_attribute("aria-live") == "polite"


def test_another_agent_seed_and_episode(browser):
    browser.show("player")
    Select(browser.one("#player-environment")).select_by_visible_text("SeqClassify-v0")
    Select(browser.one("#player-agent")).select_by_visible_text("bilstm")
    assert "saw the whole episode" in browser.one("#player-note").text
    first = shown(browser)[1][0]
    seen = {first}
    for seed in ("0", "1", "2"):
        Select(browser.one("#player-seed")).select_by_visible_text(seed)
        for episode in ("1", "2", "3", "4"):
            Select(browser.one("#player-episode")).select_by_visible_text(episode)
            seen.add(shown(browser)[1][0])
    assert len(seen) > 1


def test_an_episode_is_opened_from_the_leaderboard(browser):
    browser.show("environments")
    browser.until(lambda: browser.all(".environment td.strip svg.marks"))
    button = browser.one('[aria-label="Play episodes of bilstm on SeqClassify-v0"]')
    browser.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
    button.click()
    assert Select(browser.one("#player-agent")).first_selected_option.text == "bilstm"
    assert browser.driver.switch_to.active_element.get_attribute("id") == "player-time"


def test_what_is_missing_is_read(browser):
    said = browser.one("#missing").text
    assert "2 of the" in said and "mlp" in said
    assert "0123456789abcdef.json" in said


def test_tab_reaches_everything_with_a_visible_focus(browser):
    body = browser.one("body")
    body.send_keys(Keys.TAB)
    assert browser.driver.switch_to.active_element.text == "Skip to the leaderboard"
    seen = set()
    for _ in range(150):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        script = (
            "const e = document.activeElement; const f = e.closest('label') ?? e;"
            "return [e.id, e.closest('section')?.id ?? '', getComputedStyle(f).outlineStyle]"
        )
        id, section, outline = browser.run(script)
        seen |= {id, section}
        assert section == "" or outline == "solid", (id, section)
        if section == "missing":
            break
    assert {"player-time", "player-play", "player-agent", "curves-environment", *SECTIONS} <= seen


def test_reduced_motion_is_respected(browser):
    scroll = "return getComputedStyle(document.documentElement).scrollBehavior"
    assert browser.run(scroll) == "smooth"
    browser.open(still=True)
    assert browser.run(scroll) == "auto"
