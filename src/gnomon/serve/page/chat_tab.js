// The chat: what was said, the line to say more, and how answers are made.

import { ServerError, streamChat } from "./api.js";
import { announce, element, number } from "./dom.js";
import { SettingsPanel } from "./settings_panel.js";
import { Alternatives, TokenText } from "./tokens.js";

const STORE = "gnomon.chat";
const ALTERNATIVES = 5;
const STARTERS = [
  "Why is the sky blue?",
  "Write four lines about a sundial.",
  "What is the difference between weather and climate?",
];
const WIDE = "(min-width: 64rem)";

export const chatTab = {
  id: "chat",
  title: "Chat",
  mount: (panel, model) => new Chat(panel, model),
};

class Chat {
  constructor(panel, model) {
    this._model = model;
    this._turns = []; // { role, content, view }
    this._running = null; // the AbortController of the answer that is coming
    this._isShaded = false;
    this._tooltip = new Alternatives();
    this._settings = new SettingsPanel();
    this._build(panel);
    for (const { role, content } of restored()) this._show({ role, content });
    this._refresh();
  }

  // ------------------------------------------------------------------------------- building

  _build(panel) {
    this._empty = element(
      "div",
      { class: "empty" },
      element("h2", {}, "Ask away."),
      element("p", { class: "note" }, "Everything stays on the computer that this page is from."),
      element(
        "ul",
        { class: "starters", "aria-label": "Questions to begin with" },
        ...STARTERS.map((text) =>
          element("li", {}, element("button", { type: "button", onclick: () => this._say(text) }, text)),
        ),
      ),
    );
    this._list = element("ol", { class: "turns" });
    this._log = element(
      "div",
      { class: "log", tabindex: 0, role: "region", "aria-label": "Conversation" },
      this._empty,
      this._list,
    );
    this._input = element("textarea", {
      id: "say",
      rows: 1,
      placeholder: "Write a message",
      "aria-describedby": "say-hint",
      onkeydown: (event) => this._key(event),
      oninput: () => this._fit(),
    });
    this._send = element("button", { type: "submit", class: "primary" }, "Send");
    this._stop = button("Stop", () => this._running?.abort(), "primary");
    this._again = button("Regenerate", () => this._regenerate());
    this._clear = button("New chat", () => this._forget());
    this._shade = button("Probabilities", () => this._setShaded(!this._isShaded));
    this._settingsButton = button("Settings", () => this._toggleSettings());
    this._settingsButton.setAttribute("aria-controls", "settings");
    this._legend = element(
      "p",
      { class: "legend-line", hidden: true },
      "unlikely ",
      ...[0, 1, 2, 3, 4, 5].map((level) => element("span", { class: `swatch likely-${level}`, "aria-hidden": "true" })),
      " likely",
    );
    panel.append(
      element(
        "div",
        { class: "chat" },
        this._log,
        element(
          "div",
          { class: "below" },
          element(
            "div",
            { class: "row tools", role: "group", "aria-label": "Conversation tools" },
            this._again,
            this._clear,
            this._shade,
            this._legend,
            this._settingsButton,
          ),
          element(
            "form",
            {
              class: "say",
              onsubmit: (event) => {
                event.preventDefault();
                this._say(this._input.value);
              },
            },
            element("label", { class: "visually-hidden", for: "say" }, "Message"),
            this._input,
            this._send,
            this._stop,
          ),
          element("p", { class: "note hint", id: "say-hint" }, "Enter sends, Shift+Enter begins a new line, Escape stops an answer."),
        ),
      ),
      this._settings.root,
      this._tooltip.root,
    );
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this._running?.abort();
    });
    this._log.addEventListener("scroll", () => this._tooltip.hide());
    this._setSettings(matchMedia(WIDE).matches);
    this._setShaded(false);
    this._input.focus();
  }

  // -------------------------------------------------------------------------------- talking

  _say(text) {
    if (this._running || !text.trim()) return;
    this._input.value = "";
    this._fit();
    this._show({ role: "user", content: text.trim() });
    this._answer();
  }

  _regenerate() {
    if (this._running || !this._turns.length) return;
    for (const failed of this._list.querySelectorAll(".failed")) failed.remove();
    if (this._turns.at(-1).role === "assistant") this._drop();
    this._answer();
  }

  async _answer() {
    const messages = this._turns.map(({ role, content }) => ({ role, content }));
    if (this._settings.system) messages.unshift({ role: "system", content: this._settings.system });
    const turn = this._show({ role: "assistant", content: "" });
    const { tokens } = turn;
    this._running = new AbortController();
    this._refresh();
    this._log.scrollTop = this._log.scrollHeight;
    announce("The model is answering.");
    const clock = new Clock();
    let ending = "";
    try {
      const request = {
        model: this._model.id,
        messages,
        logprobs: true,
        top_logprobs: ALTERNATIVES,
        ...this._settings.sampling,
      };
      for await (const chunk of streamChat(request, this._running.signal)) {
        if (chunk.usage) clock.usage = chunk.usage;
        const [choice] = chunk.choices;
        if (!choice) continue;
        if (choice.finish_reason === "length") ending = "cut off: the most tokens were reached";
        const scores = choice.logprobs?.content ?? [];
        clock.count(scores.length);
        this._following(() => tokens.add(choice.delta.content ?? "", scores));
        turn.figures.textContent = clock.figures();
      }
    } catch (error) {
      if (error.name === "AbortError") ending = "stopped";
      else if (error instanceof ServerError) this._showError(turn, error.message);
      else throw error;
    } finally {
      this._running = null;
      turn.content = tokens.text;
      turn.item.removeAttribute("aria-busy");
      turn.figures.textContent = [clock.figures(), ending].filter(Boolean).join(" · ");
      if (!turn.content && ending !== "stopped") this._dropEmpty(turn);
      this._keep();
      this._refresh();
      announce(turn.content ? `The model says: ${turn.content}` : "There is no answer.");
    }
  }

  _showError(turn, message) {
    this._following(() => turn.body.append(element("p", { class: "error", role: "alert" }, message)));
  }

  /** An answer that never came is not a part of the conversation; its error stays to be read. */
  _dropEmpty(turn) {
    this._turns = this._turns.filter((other) => other !== turn);
    turn.item.classList.add("failed");
  }

  // -------------------------------------------------------------------------------- showing

  _show({ role, content }) {
    const turn = { role, content };
    turn.tokens = new TokenText(this._tooltip);
    turn.tokens.isShaded = this._isShaded && role === "assistant";
    if (content) turn.tokens.add(content, []);
    turn.figures = element("p", { class: "figures" });
    turn.body = element("div", { class: "body" }, turn.tokens.root);
    turn.item = element(
      "li",
      { class: role },
      element("h3", {}, role === "user" ? "You" : "Model"),
      turn.body,
      role === "assistant" ? turn.figures : null,
    );
    if (role === "assistant" && !content) turn.item.setAttribute("aria-busy", "true");
    this._turns.push(turn);
    this._list.append(turn.item);
    this._refresh();
    return turn;
  }

  _drop() {
    this._turns.pop().item.remove();
  }

  _forget() {
    this._running?.abort();
    this._turns = [];
    this._list.replaceChildren();
    this._keep();
    this._refresh();
    this._input.focus();
  }

  _refresh() {
    const isRunning = this._running !== null;
    const hadFocus = [this._send, this._stop].includes(document.activeElement);
    this._empty.hidden = this._list.childElementCount > 0;
    this._send.hidden = isRunning;
    this._stop.hidden = !isRunning;
    this._again.disabled = isRunning || !this._turns.length;
    this._clear.disabled = isRunning || this._list.childElementCount === 0;
    if (hadFocus) this._input.focus();
  }

  /** Do `change`, and stay at the end of the conversation for who was there. */
  _following(change) {
    const { scrollTop, scrollHeight, clientHeight } = this._log;
    const wasAtEnd = scrollHeight - scrollTop - clientHeight < 48;
    change();
    if (wasAtEnd) this._log.scrollTop = this._log.scrollHeight;
  }

  _setShaded(isShaded) {
    this._isShaded = isShaded;
    this._shade.setAttribute("aria-pressed", String(isShaded));
    this._legend.hidden = !isShaded;
    for (const turn of this._turns) turn.tokens.isShaded = isShaded && turn.role === "assistant";
  }

  _toggleSettings() {
    this._setSettings(this._settings.root.hidden);
    if (!this._settings.root.hidden && !matchMedia(WIDE).matches) this._settings.root.scrollIntoView();
  }

  _setSettings(isOpen) {
    this._settings.root.hidden = !isOpen;
    this._settingsButton.setAttribute("aria-expanded", String(isOpen));
  }

  // -------------------------------------------------------------------------------- writing

  _key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this._say(this._input.value);
    }
  }

  _fit() {
    this._input.style.setProperty("height", "auto");
    this._input.style.setProperty("height", `${Math.min(this._input.scrollHeight + 2, 200)}px`);
  }

  _keep() {
    const turns = this._turns.map(({ role, content }) => ({ role, content }));
    sessionStorage.setItem(STORE, JSON.stringify(turns));
  }
}

/** Tokens and their pace. */
class Clock {
  constructor() {
    this._begin = performance.now();
    this._first = null;
    this._last = null;
    this._tokens = 0;
    this.usage = null;
  }

  count(tokens) {
    if (!tokens) return;
    this._last = performance.now();
    this._first ??= this._last;
    this._tokens += tokens;
  }

  figures() {
    if (this._first === null) return "";
    const seconds = (this._last - this._first) / 1000;
    const parts = [`${number(this._tokens)} ${this._tokens === 1 ? "token" : "tokens"}`];
    if (seconds > 0) parts.push(`${number((this._tokens - 1) / seconds, 1)} tokens/s`);
    parts.push(`first after ${number((this._first - this._begin) / 1000, 2)} s`);
    const cached = this.usage?.prompt_tokens_details?.cached_tokens;
    if (cached) parts.push(`${number(cached)} of ${number(this.usage.prompt_tokens)} read before`);
    return parts.join(" · ");
  }
}

function button(label, onclick, kind = "quiet") {
  return element("button", { type: "button", class: kind, onclick }, label);
}

function restored() {
  try {
    return JSON.parse(sessionStorage.getItem(STORE)) ?? [];
  } catch {
    return [];
  }
}
