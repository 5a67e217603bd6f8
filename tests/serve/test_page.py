"""The page in a real browser. What it looked like stays in build/screenshots/."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from running_servers import Server, serving

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 120_000


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
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
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
    page.keyboard.press("ArrowRight")
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
