// Bars, placed by the server (in a box of 1000 × 100) and drawn here.

import { drawing, element } from "./dom.js";

/** A row of bars for each kind of layer, block by block. */
export function strips(rows, lastBlock) {
  return element(
    "figure",
    { class: "strips" },
    element("span", { class: "head" }, "layer"),
    element("span", { class: "head axis" }, element("span", {}, "block 0"), element("span", {}, `block ${lastBlock}`)),
    element("span", { class: "head" }, "mean"),
    ...rows.flatMap((row) => [
      element("span", { class: "kind", "aria-hidden": "true" }, row.kind),
      chart(row.bars, row.summary),
      element("span", { class: "mean", "aria-hidden": "true" }, row.mean),
    ]),
  );
}

/** All layers side by side: as wide as they have weights, as high as they have bits. */
export function skyline({ bars, grid, summary }, legend) {
  const lines = grid.map(([top, label]) => {
    const line = element("i", { "aria-hidden": "true" }, element("span", {}, label));
    line.style.setProperty("top", `${top}%`);
    return line;
  });
  return element(
    "figure",
    {},
    element("div", { class: "skyline" }, ...lines, chart(bars, summary)),
    element(
      "ul",
      { class: "legend" },
      ...legend.map(({ colour, kind }) =>
        element(
          "li",
          {},
          drawing("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, drawing("rect", { class: colour, width: 10, height: 10 })),
          kind,
        ),
      ),
    ),
    element("figcaption", { class: "note" }, `${summary}.`),
  );
}

function chart(bars, summary) {
  return drawing(
    "svg",
    { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img", "aria-label": summary },
    ...bars.map(({ x, y, width, height, colour, title }) =>
      drawing("rect", { class: colour, x, y, width, height }, drawing("title", {}, title)),
    ),
  );
}
