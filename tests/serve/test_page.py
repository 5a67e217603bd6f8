"""The page in a real browser. What it looked like stays in build/screenshots/."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from running_servers import Server, serving

from gnomon.detect.detection import Detection, WordCut
from gnomon.detect.page import render_page
from gnomon.detect.sentences import Sentence

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 120_000
expect.set_options(timeout=WAIT_MS)


@dataclass
class Watch:
    """All that a page must not do."""

    address: str
    trouble: list[str] = field(default_factory=list)
    is_refused: bool = False  # the browser itself then notes requests that fail

    def attach(self, page: Page) -> None:
        page.on("console", lambda m: self._hear(m.text))
        page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        page.on(
            "request",
            lambda r: None if r.url.startswith(self.address) else self.trouble.append(r.url),
        )

    def _hear(self, text: str) -> None:
        if not (self.is_refused and text.startswith("Failed to load resource")):
            self.trouble.append(f"console: {text}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    assert executable, "the page is tested in Chromium; on Debian: apt install chromium"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, smollm):
    """Opens the page and makes sure, at the end, that it kept to itself."""
    watch = Watch(smollm.address)
    contexts = []

    def open_(server: Server = smollm, *, is_refused: bool = False, **options) -> Page:
        watch.is_refused = is_refused
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        watch.address = server.address
        watch.attach(page)
        page.goto(server.address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert watch.trouble == []


def say(page: Page, text: str, *, most_tokens: int = 12) -> None:
    if page.get_by_label("Most tokens").is_visible():
        page.get_by_label("Most tokens").fill(str(most_tokens))
        page.get_by_label("Temperature").fill("0")
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")


def answered(page: Page) -> None:
    expect(page.locator(".assistant").last).not_to_have_attribute(
        "aria-busy", "true", timeout=WAIT_MS
    )


def test_a_chat_its_probabilities_and_the_report(open_page):
    page = open_page()
    page.screenshot(path=SCREENSHOTS / "empty.png")
    say(page, "What is the capital of France?")
    answered(page)
    answer = page.locator(".assistant .text")
    expect(answer).to_contain_text("Paris")
    expect(page.locator(".figures")).to_contain_text("tokens/s")
    expect(page.get_by_role("status")).to_contain_text("The model says: The capital")
    page.get_by_role("button", name="Regenerate").click()
    answered(page)
    expect(page.locator(".assistant")).to_have_count(1)
    expect(answer).to_contain_text("Paris")

    page.get_by_role("button", name="Probabilities").click()
    token = page.get_by_role("option").filter(has_text="Paris")
    token.hover()
    tooltip = page.get_by_role("tooltip")
    expect(tooltip).to_be_visible()
    expect(tooltip.get_by_role("listitem")).to_have_count(5)
    page.screenshot(path=SCREENSHOTS / "probabilities.png")
    page.keyboard.press("Tab")  # off the pointer: the keyboard goes through them too
    page.get_by_role("option").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("option").nth(1)).to_be_focused()
    expect(tooltip).to_be_visible()

    page.get_by_role("tab", name="Chat").focus()
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="Report")).to_be_focused()
    expect(page.get_by_role("heading", name="Where the bits go")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.screenshot(path=SCREENSHOTS / "report.png")

    page.reload()  # what was said is still there
    page.get_by_role("tab", name="Chat").click()
    expect(page.locator(".assistant .text")).to_contain_text("Paris")


def test_an_answer_is_stopped(open_page):
    page = open_page()
    say(page, "Tell me a very long story.", most_tokens=900)
    expect(page.locator(".figures")).to_contain_text("tokens/s")
    page.keyboard.press("Escape")
    answered(page)
    expect(page.locator(".figures")).to_contain_text("stopped")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.get_by_role("button", name="New chat").click()
    expect(page.get_by_role("heading", name="Ask away.")).to_be_visible()


ESSAY = (
    "The bus was late again, so I walked. My left shoe had a hole in it and the puddles found it. "
    "By the bakery I gave up and bought a bun I did not want. The city is a great place to live. "
    "The city is a great place to work. The city has many parks <b>and</b> many museums."
)
ONE_OF_MANY = {  # what the server says where a machine took over, with each kind of everything
    "model": "reader",
    "said": {
        "answer": "The machine takes over at sentence 4 of 6.",
        "interval": "It began between sentences 3 and 5; such intervals hold the place in 90 %.",
        "probability": "97.0 %; from 80.0 % on, it is called machine text.",
        "word": None,
        "caution": "This is a probability and no proof.",
    },
    "verdict": "mixed",
    "boundary": 3,
    "character": 150,
    "word": 32,
    "word_probability": None,
    "interval": [2, 4],
    "coverage": 0.9,
    "probability": 0.97,
    "threshold": 0.8,
    "posterior": [0.02, 0.03, 0.19, 0.48, 0.2, 0.05, 0.03],
    "machine": 0.7,
    "kinds": {"human": 0.3, "gpt2_xl": 0.7},
    "notes": ["Read with reader; the figures are for another."],
    "sentences": [
        {
            "begin": 0,
            "end": 0,
            "text": f"{text}.",
            "probability": p,
            "surprisal": s,
            "expected": 3.0,
        }
        for text, p, s in zip(
            ESSAY.rstrip(".").split(". "),
            (0.02, 0.05, 0.25, 0.75, 0.95, 1.0),
            (4.6, 4.9, 4.1, 2.6, 2.2, 2.9),
            strict=True,
        )
    ],
}


def test_where_a_machine_took_over(open_page):
    page = open_page()
    page.get_by_role("tab", name="Chat").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Detect")).to_be_focused()
    page.get_by_label("Text", exact=True).fill(ESSAY)
    page.keyboard.press("Control+Enter")
    answer = page.get_by_role("region", name="Answer")
    heading = answer.get_by_role("heading").first
    expect(heading).to_be_focused()  # who listens is taken to it
    expect(heading).to_be_in_viewport(ratio=1)
    assert heading.bounding_box()["y"] < page.viewport_size["height"] / 3
    expect(page.locator("#announcements")).to_have_text(heading.inner_text())
    expect(answer.locator(".shaded-text")).to_contain_text("many parks <b>and</b> many museums")
    assert answer.locator(".shaded-text b").count() == 0
    expect(answer.locator(".shaded-text span")).to_have_count(6)
    expect(answer.get_by_role("img")).to_have_count(2)
    answer.get_by_text("The figures of every sentence").click()
    expect(answer.get_by_role("row")).to_have_count(7 + 4)  # with the head's three kinds


@pytest.mark.parametrize("mode", ["wide", "narrow", "dark"])
def test_a_boundary_in_windows_of_all_kinds(open_page, mode):
    options = {
        "wide": {},
        "narrow": {"viewport": {"width": 360, "height": 740}, "has_touch": True},
        "dark": {"color_scheme": "dark"},
    }[mode]
    page = open_page(**options)
    page.route("**/detect", lambda route: route.fulfill(json=ONE_OF_MANY))
    page.get_by_role("tab", name="Detect").click()
    page.get_by_label("Text", exact=True).fill(ESSAY)
    page.get_by_role("button", name="Find the place").click()
    text = page.locator(".shaded-text")
    expect(text.get_by_text("the machine takes over here")).to_be_visible()
    expect(page.get_by_text("This is a probability and no proof.")).to_be_visible()
    assert text.locator("span, .here").nth(3).get_attribute("class") == "here"
    expect(text.locator("span.inside")).to_have_count(3)
    assert page.locator("rect.machine").count() == 3
    for chart in page.locator("figure").all():
        numbers, bars = chart.locator(".numbers span"), chart.locator("rect")
        assert numbers.all_inner_texts() == list("123456")
        for number, bar in zip(numbers.all(), bars.all(), strict=True):
            under, over = number.bounding_box(), bar.bounding_box()
            middle = under["x"] + under["width"] / 2
            assert middle == pytest.approx(over["x"] + over["width"] / 2, abs=2)
            assert over["y"] > chart.locator("svg").bounding_box()["y"] + 4
    legend = page.locator(".scale > span")
    assert all(box.bounding_box()["height"] < 30 for box in legend.all())  # of one line
    page.screenshot(path=SCREENSHOTS / f"{mode}-detect.png")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": 2200})
    page.screenshot(path=SCREENSHOTS / f"{mode}-detect-whole.png")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_report_of_the_command_is_drawn_alike(browser, tmp_path, mode):
    texts = ["𝔄 " + each["text"] for each in ONE_OF_MANY["sentences"]]
    ends = np.cumsum([len(text) + 1 for text in texts]) - 1
    found = Detection(
        sentences=tuple(
            Sentence(begin=end - len(text), end=end, text=text)
            for text, end in zip(texts, ends.tolist(), strict=True)
        ),
        probabilities=np.array([each["probability"] for each in ONE_OF_MANY["sentences"]]),
        surprisals=np.array([each["surprisal"] for each in ONE_OF_MANY["sentences"]]),
        expected=np.full(6, 3.0),
        posterior=np.array(ONE_OF_MANY["posterior"]),
        verdict="mixed",
        boundary=3,
        interval=(2, 4),
        coverage=0.9,
        probability=0.97,
        threshold=0.8,
        kinds={"human": 0.3, "gpt2_xl": 0.7},
        cut=WordCut(character=int(ends[2]) + 1 + len("𝔄 The "), probability=0.4),
        notes=("Read with another.",),
    )
    path = tmp_path / "report.html"
    path.write_text(
        render_page(found, " ".join(texts), name="essay", reader="reader"), encoding="utf-8"
    )
    watch = Watch("file://")
    context = browser.new_context(color_scheme=mode, viewport={"width": 900, "height": 1700})
    page = context.new_page()
    watch.attach(page)
    page.goto(path.as_uri())
    expect(page.get_by_role("heading").first).to_have_text(
        "The machine takes over within sentence 4 of 6."
    )
    expect(page.get_by_text("the machine takes over within this sentence")).to_be_visible()
    expect(page.locator(".shaded-text span.inside")).to_have_count(3)
    expect(page.locator(".shaded-text span:nth-of-type(4) mark")).to_have_text("city")
    expect(page.get_by_role("img")).to_have_count(2)
    assert page.locator(".shaded-text b").count() == 0
    page.screenshot(path=SCREENSHOTS / f"{mode}-detect-report.png")
    context.close()
    assert watch.trouble == []


def test_a_text_that_is_refused_and_one_that_is_stopped(open_page):
    page = open_page(is_refused=True)
    page.get_by_role("tab", name="Detect").click()
    page.get_by_label("Text", exact=True).fill("   ")
    page.get_by_role("button", name="Find the place").click()
    expect(page.get_by_role("alert").filter(has_text="no words")).to_be_visible()
    page.route("**/detect", lambda route: None)  # never answered
    page.get_by_label("Text", exact=True).fill(ESSAY)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_label("Text", exact=True).press("Escape")
    expect(page.get_by_text("Stopped.")).to_be_visible()
    expect(page.get_by_role("button", name="Find the place")).to_be_visible()


@pytest.mark.parametrize("mode", ["narrow", "dark"])
def test_other_windows(open_page, mode):
    options = {
        "narrow": {"viewport": {"width": 360, "height": 740}, "has_touch": True},
        "dark": {"color_scheme": "dark"},
    }[mode]
    page = open_page(**options)
    if mode == "narrow":
        page.get_by_role("button", name="Settings").click()
        page.screenshot(path=SCREENSHOTS / "narrow-settings.png")
    say(page, "What is the capital of France?")
    answered(page)
    page.get_by_role("button", name="Probabilities").click()
    page.screenshot(path=SCREENSHOTS / f"{mode}-chat.png")
    page.get_by_role("tab", name="Report").click()
    expect(page.get_by_role("heading", name="Where the bits go")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / f"{mode}-report.png")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


def test_what_the_model_says_is_never_html(open_page):
    page = open_page()
    evil = '<img src=x onerror="document.title=1"><b>bold</b>'
    choice = {"index": 0, "delta": {"content": evil}, "logprobs": None, "finish_reason": "stop"}
    stream = f"data: {json.dumps({'choices': [choice]})}\n\ndata: [DONE]\n\n"
    page.route("**/v1/chat/completions", lambda route: route.fulfill(
        status=200, content_type="text/event-stream", body=stream))  # fmt: skip
    say(page, evil)
    answered(page)
    expect(page.locator(".assistant .text")).to_have_text(evil)
    expect(page.locator(".user .text")).to_have_text(evil)
    assert page.locator(".turns img, .turns b").count() == 0


def test_a_server_that_refuses_is_quoted(open_page):
    page = open_page(is_refused=True)
    page.route("**/v1/chat/completions", lambda route: route.abort())
    say(page, "Hello")
    expect(page.get_by_role("alert").filter(has_text="cannot be reached")).to_be_visible()
    page.unroute("**/v1/chat/completions")
    page.get_by_role("button", name="Regenerate").click()  # what was asked is asked once more
    answered(page)
    expect(page.locator(".figures").last).to_contain_text("token")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".user")).to_have_count(1)
    expect(page.locator(".assistant")).to_have_count(1)


def test_a_key_is_asked_for_once(open_page, tiny):
    with serving(tiny, "--threads", 1, "--api-key", "sesame") as server:
        page = open_page(server, is_refused=True)
        expect(page.get_by_label("API key")).to_be_visible()
        for _ in range(3):  # nobody gets past it
            page.keyboard.press("Escape")
        page.get_by_label("API key").fill("wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_role("alert").filter(has_text="not known")).to_be_visible()
        page.get_by_label("API key").fill("sesame")
        page.keyboard.press("Enter")
        expect(page.get_by_role("tab", name="Chat")).to_be_visible()
        expect(page.locator("#model")).to_contain_text("tiny")
        page.get_by_role("tab", name="Report").click()
        expect(page.get_by_role("heading", name="Where the bits go")).to_be_visible()


def test_the_description_needs_no_script(browser, smollm):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{smollm.address}/docs")
    expect(page.get_by_role("heading", name="POST /v1/chat/completions")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "docs.png", full_page=True)
    context.close()
