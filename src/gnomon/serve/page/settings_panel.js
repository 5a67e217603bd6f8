// How answers are made: fields whose values stay in this browser.

import { element } from "./dom.js";

const STORE = "gnomon.settings";

// name, label, what it does, and the limits of its field; `null` stands for an empty field.
const FIELDS = [
  { name: "temperature", label: "Temperature", hint: "0 always takes the likeliest token.", min: 0, max: 2, step: 0.1, value: 0.7 },
  { name: "top_p", label: "Top-p", hint: "Only the likeliest tokens that together have this probability.", min: 0.05, max: 1, step: 0.05, value: 0.95 },
  { name: "min_p", label: "Min-p", hint: "Drops tokens less likely than this part of the likeliest.", min: 0, max: 1, step: 0.01, value: 0.05 },
  { name: "repetition_penalty", label: "Repetition penalty", hint: "Above 1, what was said becomes less likely.", min: 0.5, max: 2, step: 0.05, value: 1.1 },
  { name: "max_tokens", label: "Most tokens", hint: "Of one answer.", min: 1, max: 1000000, step: 1, value: 512 },
  { name: "seed", label: "Seed", hint: "The same seed gives the same answer; empty: a new one each time.", min: 0, max: 2 ** 31 - 1, step: 1, value: null },
];

function stored() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}

/** A panel, and what is set in it. */
export class SettingsPanel {
  constructor() {
    this._inputs = new Map();
    this._system = element("textarea", { id: "set-system", rows: 3, onchange: () => this._save() });
    const fields = FIELDS.map((field) => this._field(field));
    this.root = element(
      "aside",
      { class: "settings", id: "settings", "aria-label": "Settings" },
      element("h2", {}, "Settings"),
      element("label", { for: "set-system" }, "System message"),
      this._system,
      ...fields,
      element("button", { type: "button", class: "quiet", onclick: () => this._reset() }, "Back to the defaults"),
    );
    this._fill(stored());
  }

  get system() {
    return this._system.value.trim();
  }

  /** What goes into a request. Fields that hold no valid number are left out. */
  get sampling() {
    const chosen = {};
    for (const { name } of FIELDS) {
      const input = this._inputs.get(name);
      if (input.value !== "" && input.checkValidity()) chosen[name] = Number(input.value);
    }
    return chosen;
  }

  _field({ name, label, hint, min, max, step }) {
    const id = `set-${name}`;
    const input = element("input", {
      id,
      type: "number",
      inputmode: "decimal",
      min,
      max,
      step,
      "aria-describedby": `${id}-hint`,
      onchange: () => this._save(),
    });
    this._inputs.set(name, input);
    return element(
      "div",
      { class: "field" },
      element("label", { for: id }, label),
      input,
      element("p", { class: "note", id: `${id}-hint` }, hint),
    );
  }

  _fill(values) {
    this._system.value = values.system ?? "";
    for (const { name, value } of FIELDS) {
      this._inputs.get(name).value = (name in values ? values[name] : value) ?? "";
    }
  }

  _save() {
    const values = { system: this._system.value };
    for (const [name, input] of this._inputs) values[name] = input.value;
    localStorage.setItem(STORE, JSON.stringify(values));
  }

  _reset() {
    localStorage.removeItem(STORE);
    this._fill({});
  }
}
