// The tokens of one answer: text as always, and on demand each with its probability and what the
// model would have said instead.

import { element } from "./dom.js";

const LEVELS = [0.02, 0.1, 0.3, 0.6, 0.9]; // a token's class says how many of these it reaches

/** A token's text as one can see it. */
export function visible(text) {
  return text.replaceAll("\n", "↵").replaceAll("\t", "⇥").replace(/^ | $/g, "␣") || "·";
}

function percent(probability) {
  const value = 100 * probability;
  return `${value >= 10 || value === 0 ? value.toFixed(0) : value.toPrecision(2)} %`;
}

/** An answer's text, token by token. */
export class TokenText {
  constructor(tooltip) {
    this._tooltip = tooltip;
    this._decoder = new TextDecoder();
    this._current = null;
    this.root = element("div", {
      class: "text",
      onkeydown: (event) => this._move(event),
      onpointerover: (event) => this._point(event),
      onpointerleave: () => this._tooltip.hide(),
      onfocusin: (event) => this._focus(event),
      onfocusout: () => this._tooltip.hide(),
    });
    this._scores = new WeakMap();
  }

  get text() {
    return this.root.textContent;
  }

  /** Add a chunk's text, with the scores of its tokens if there are any. */
  add(text, scores) {
    const parts = scores.map(({ bytes }) => this._decoder.decode(new Uint8Array(bytes), { stream: true }));
    if (scores.length && parts.join("") === text) {
      parts.forEach((part, index) => part && this._append(part, scores[index]));
    } else if (text) {
      this._append(text, scores.at(-1));
    }
  }

  /** Whether tokens can be looked at one by one. */
  set isShaded(isShaded) {
    this.root.classList.toggle("shaded", isShaded);
    for (const name of ["role", "aria-label", "aria-orientation"]) this.root.removeAttribute(name);
    if (isShaded) {
      this.root.setAttribute("role", "listbox");
      this.root.setAttribute("aria-orientation", "horizontal");
      this.root.setAttribute("aria-label", "Tokens of the answer; the arrow keys go through them");
    } else {
      this._tooltip.hide();
    }
    for (const span of this.root.children) this._dress(span, isShaded);
  }

  _append(text, score) {
    // Blanks before a word stay outside, so that no shade is left behind where a line breaks.
    const blanks = /^\s+(?=\S)/.exec(text)?.[0] ?? "";
    const span = element("span", {}, text.slice(blanks.length));
    if (score) {
      const probability = Math.exp(score.logprob);
      span.className = `token likely-${LEVELS.filter((level) => probability >= level).length}`;
      this._scores.set(span, { ...score, probability });
    }
    this.root.append(blanks, span);
    this._dress(span, this.root.classList.contains("shaded"));
  }

  _dress(span, isShaded) {
    const score = this._scores.get(span);
    if (!isShaded || !score) {
      for (const name of ["role", "aria-label", "aria-selected", "tabindex"]) span.removeAttribute(name);
      return;
    }
    span.setAttribute("role", "option");
    span.setAttribute("aria-selected", "false");
    span.setAttribute("aria-label", `${visible(score.token)}, ${percent(score.probability)}`);
    span.tabIndex = this.root.firstElementChild === span ? 0 : -1;
  }

  _move(event) {
    const at = event.target;
    if (!this._scores.has(at)) return;
    if (event.key === "Escape") this._tooltip.hide();
    const to = {
      ArrowLeft: at.previousElementSibling,
      ArrowRight: at.nextElementSibling,
      Home: this.root.firstElementChild,
      End: this.root.lastElementChild,
    }[event.key];
    if (!to || to.tabIndex === undefined) return;
    event.preventDefault();
    to.focus();
  }

  _focus({ target }) {
    if (!this._scores.has(target)) return;
    for (const span of this.root.querySelectorAll('[aria-selected="true"]')) {
      span.setAttribute("aria-selected", "false");
      span.tabIndex = -1;
    }
    target.setAttribute("aria-selected", "true");
    target.tabIndex = 0;
    this._tooltip.show(target, this._scores.get(target));
  }

  _point({ target }) {
    if (!this.root.classList.contains("shaded")) return;
    if (this._scores.has(target)) this._tooltip.show(target, this._scores.get(target));
    else this._tooltip.hide();
  }
}

/** What the model would have said in a token's place. One for the whole page. */
export class Alternatives {
  constructor() {
    this.root = element("div", { class: "alternatives", id: "alternatives", role: "tooltip", hidden: true });
    this._owner = null;
  }

  show(span, score) {
    this.hide();
    this._owner = span;
    span.setAttribute("aria-describedby", this.root.id);
    const entries = score.top_logprobs.map(({ token, logprob }) => ({ token, probability: Math.exp(logprob) }));
    const isAmong = entries.some(({ token }) => token === score.token);
    if (!isAmong) entries.push({ token: score.token, probability: score.probability });
    this.root.replaceChildren(
      element("p", {}, "Here the model thought of"),
      element(
        "ol",
        {},
        ...entries.map(({ token, probability }) => {
          const bar = element("i", { "aria-hidden": "true" });
          bar.style.setProperty("--part", probability);
          return element(
            "li",
            { class: token === score.token ? "chosen" : "" },
            bar,
            element("code", {}, visible(token)),
            element("span", {}, percent(probability)),
          );
        }),
      ),
    );
    this.root.hidden = false;
    this._place(span);
  }

  hide() {
    this._owner?.removeAttribute("aria-describedby");
    this._owner = null;
    this.root.hidden = true;
  }

  _place(span) {
    const at = span.getClientRects()[0] ?? span.getBoundingClientRect();
    const { width, height } = this.root.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - width - 8));
    const fits = at.bottom + 6 + height < document.documentElement.clientHeight;
    this.root.style.setProperty("left", `${left}px`);
    this.root.style.setProperty("top", `${fits ? at.bottom + 6 : Math.max(8, at.top - 6 - height)}px`);
  }
}
