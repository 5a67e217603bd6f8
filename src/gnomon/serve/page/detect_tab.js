// Where in a text a machine took over.

import { detect, ServerError } from "./api.js";
import { drawDetection } from "./detection.js";
import { announce, element } from "./dom.js";

const ASK = "Find the place";

export const detectTab = {
  id: "detect",
  title: "Detect",
  mount(panel) {
    panel.append(new DetectTab().root);
  },
};

class DetectTab {
  constructor() {
    this._under_way = null; // what ends the question that is being answered
    this._text = element("textarea", {
      id: "detect-text",
      rows: 10,
      "aria-describedby": "detect-hint",
      onkeydown: (event) => this._press(event),
    });
    this._button = element("button", { type: "submit", class: "primary" }, ASK);
    this._status = element("p", { class: "note", role: "status" });
    this._answer = element("div", { class: "answer" });
    this.root = element(
      "div",
      { class: "report detect" },
      element("h2", { class: "headline" }, "Where did a machine take over?"),
      element(
        "form",
        { onsubmit: (event) => this._submit(event) },
        element("label", { for: "detect-text" }, "Text"),
        this._text,
        element(
          "p",
          { class: "note", id: "detect-hint" },
          "English prose of six to ten sentences is what was measured. Ctrl+Enter finds the place, Escape stops. Nothing leaves this server.",
        ),
        element("div", { class: "row" }, this._button, this._status),
      ),
      this._answer,
    );
  }

  _press(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this._submit(event);
    else if (event.key === "Escape" && this._under_way) this._under_way.abort();
  }

  async _submit(event) {
    event.preventDefault();
    if (this._under_way) {
      this._under_way.abort();
      return;
    }
    this._under_way = new AbortController();
    this._button.textContent = "Stop";
    this._answer.setAttribute("aria-busy", "true");
    this._status.textContent = "Reading …";
    try {
      this._show(await detect(this._text.value, this._under_way.signal));
      this._status.textContent = "";
    } catch (error) {
      this._status.textContent = "";
      if (error.name === "AbortError") this._status.textContent = "Stopped.";
      else if (error instanceof ServerError) this._answer.replaceChildren(element("p", { class: "error", role: "alert" }, error.message));
      else throw error;
    } finally {
      this._under_way = null;
      this._button.textContent = ASK;
      this._answer.removeAttribute("aria-busy");
    }
  }

  _show(found) {
    const { said, notes } = found;
    const heading = element("h3", { tabindex: -1 }, said.answer);
    this._answer.replaceChildren(
      element(
        "section",
        { "aria-label": "Answer" },
        heading,
        element("p", {}, said.interval),
        element("p", {}, `Probability that any of it is a machine’s: ${said.probability}`),
        ...notes.map((note) => element("p", {}, element("strong", {}, "Note: "), note)),
        drawDetection(found, 4),
        element("p", { class: "note" }, said.caution),
      ),
    );
    announce(said.answer);
    heading.focus({ preventScroll: true });
    this._answer.scrollIntoView({ block: "start" });
  }
}
