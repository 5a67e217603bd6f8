// What the model is made of: its size, and bits and error of each layer.

import { getReport, ServerError } from "./api.js";
import { skyline, strips } from "./charts.js";
import { element, number } from "./dom.js";

export const reportTab = {
  id: "report",
  title: "Report",
  async mount(panel) {
    panel.append(element("p", { class: "note", role: "status" }, "Reading the report …"));
    let report;
    try {
      report = await getReport();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      panel.replaceChildren(element("p", { class: "error", role: "alert" }, error.message));
      return;
    }
    panel.replaceChildren(page(report));
  },
};

function page(report) {
  return element(
    "div",
    { class: "report" },
    element("h2", { class: "headline" }, headline(report)),
    element(
      "ul",
      { class: "findings" },
      finding(`${number(report.size_bytes / 1e6, 1)} MB`, "in the file", `${number(report.size_bytes)} bytes`),
      finding(number(report.bits_per_weight, 2), "bits a weight", "everything counted"),
      finding(
        `${number(report.parameters / 1e6, 1)} M`,
        "weights",
        `${report.architecture}, ${report.blocks} blocks, ${number(report.context)} tokens of context`,
      ),
    ),
    storage(report),
    report.errors.length
      ? section(
          "Where the error is",
          "Relative squared error of each layer’s output on the calibration text. One bar a block, one row a kind of layer, all rows on one scale from zero.",
          strips(report.errors, report.blocks - 1),
        )
      : section("Where the error is", "Nothing is known of it: the model was not compressed here."),
    report.bits.length
      ? section(
          "Which layers got more bits",
          "Bits a weight of each layer, everything stored counted; all rows on one scale from zero.",
          strips(report.bits, report.blocks - 1),
        )
      : null,
    report.skyline
      ? section(
          "Where the bits go",
          "Every layer, sorted by kind: as wide as it has weights, as high as it has bits a weight. A colour’s area is its share of the file.",
          skyline(report.skyline, report.legend),
        )
      : null,
    made(report),
    layers(report),
  );
}

function headline({ model, bits_per_weight }) {
  return bits_per_weight ? `${model} in ${number(bits_per_weight, 2)} bits a weight` : model;
}

function finding(figure, what, detail) {
  return element("li", {}, element("strong", {}, figure), element("b", {}, what), element("span", {}, detail));
}

let sections = 0;

function section(title, note, ...children) {
  const id = `report-section-${++sections}`;
  return element(
    "section",
    { "aria-labelledby": id },
    element("h3", { id }, title),
    note ? element("p", { class: "note" }, note) : null,
    ...children,
  );
}

function storage({ storage, size_bytes }) {
  return section(
    "How it is stored",
    null,
    table(
      "Forms of storage",
      ["form", "weights", "MB", "bits a weight", "share"],
      storage.map((row) => [
        row.storage,
        number(row.weights),
        number(row.size_bytes / 1e6, 1),
        number((8 * row.size_bytes) / row.weights, 2),
        `${number((100 * row.size_bytes) / size_bytes, 1)} %`,
      ]),
    ),
  );
}

function made({ made }) {
  const names = Object.keys(made);
  if (!names.length) return null;
  return section(
    "How it was made",
    null,
    element(
      "dl",
      { class: "facts" },
      ...names.flatMap((name) => [
        element("dt", {}, name.replaceAll("_", " ")),
        element("dd", {}, String(made[name])),
      ]),
    ),
  );
}

function layers({ layers }) {
  return section(
    "Every layer",
    null,
    element(
      "details",
      {},
      element("summary", {}, `The figures of all ${layers.length} layers`),
      table(
        "Codec, shape, bits a weight and relative error of every layer",
        ["layer", "codec", "shape", "bits a weight", "relative error"],
        layers.map((layer) => [
          layer.name,
          layer.codec,
          layer.shape.join(" × "),
          number(layer.bits_per_weight, 3),
          layer.relative_error === null ? "–" : number(layer.relative_error, 4),
        ]),
      ),
    ),
  );
}

function table(caption, columns, rows) {
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", { class: "visually-hidden" }, caption),
      element("thead", {}, element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)))),
      element(
        "tbody",
        {},
        ...rows.map(([first, ...rest]) =>
          element("tr", {}, element("th", { scope: "row" }, first), ...rest.map((cell) => element("td", {}, cell))),
        ),
      ),
    ),
  );
}
