// A detection, drawn: the text with each sentence shaded, the boundary and its interval, and the reasons. The report of
// `gnomon detect --html` and the page of `gnomon serve` use it alike. Text only ever becomes text.

const WIDTH = 1000; // of the charts, which are stretched to fit
const HEIGHT = 100;
const HEADROOM = 1.08; // of the scale: no mark touches the frame
const SHADES = 10;
const MOST_NUMBERS = 20; // under a chart

/** `found` is what detect/page.py tells; `heading` is the level of the headings inside, 2 or 3. */
export function drawDetection(found, heading) {
  return html("div", { class: "detection" }, [
    shadedText(found),
    scale(found),
    html(`h${heading}`, {}, ["Why"]),
    surprisalFigure(found),
    placesFigure(found),
    sentenceTable(found),
    ...kindsTable(found, heading),
  ]);
}

function shadedText({ sentences, boundary, interval: [low, high], verdict, character, word_probability }) {
  const block = html("div", { class: "shaded-text" });
  const isNamed = word_probability !== null; // the word in which the machine begins
  sentences.forEach(({ text, begin, end, ...numbers }, index) => {
    if (verdict !== "human" && index === boundary) {
      const where = isNamed && character > begin ? "the machine takes over within this sentence" : "the machine takes over here";
      block.append(html("div", { class: "here" }, [where]));
    }
    const shade = Math.min(Math.floor(numbers.probability * SHADES), SHADES - 1);
    const isInside = verdict !== "human" && low <= index && index <= high;
    const title = `sentence ${index + 1}: machine with probability ${percent(numbers.probability)}; ` +
      `surprisal ${numbers.surprisal.toFixed(2)}, expected ${numbers.expected.toFixed(2)} nats a token`;
    block.append(
      html("sup", {}, [String(index + 1)]),
      html("span", { class: `s${shade}${isInside ? " inside" : ""}`, title }, isNamed && begin <= character && character < end ? marked(text, character - begin) : [text]),
      " ",
    );
  });
  return block;
}

/** `text` with the word at `place` marked; places count code points. */
function marked(text, place) {
  const before = [...text].slice(0, place).join("");
  const [word] = text.slice(before.length).match(/^\S*/);
  return [before, html("mark", {}, [word]), text.slice(before.length + word.length)];
}

function scale({ verdict }) {
  return html("div", { class: "scale", "aria-hidden": "true" }, [
    html("span", { class: "shades" }, ["a person’s", ...[0, 3, 5, 7, 8, 9].map((shade) => html("i", { class: `s${shade}` })), "a machine’s"]),
    ...(verdict === "human" ? [] : [html("span", {}, [html("span", { class: "inside" }, ["dotted"]), ": the interval"])]),
  ]);
}

function surprisalFigure({ sentences, boundary }) {
  const highest = HEADROOM * Math.max(...sentences.flatMap(({ surprisal, expected }) => [surprisal, expected]), 1e-9);
  const step = WIDTH / sentences.length;
  const points = sentences.map(({ expected }, index) => `${(index + 0.5) * step},${HEIGHT - (HEIGHT * expected) / highest}`);
  return figure(
    "Surprisal of each sentence, and what the model expected; the table below has the figures",
    [
      ...bars(sentences.map(({ surprisal }) => surprisal), highest, "surprisal", (index) => (index >= boundary ? "machine" : "")),
      svg("polyline", { points: points.join(" ") }),
    ],
    sentences.length,
    "Bars: how surprising each sentence was, in nats a token. Line: how surprising it would have been had the reading model " +
      "written it. People’s sentences tend to stand above the line, a machine’s at it or below. The model’s inner states " +
      "weigh in too; they do not fit into a picture.",
  );
}

function placesFigure({ posterior, interval: [low, high] }) {
  const shown = givenMachine(posterior);
  return figure(
    "Probability of each place for the boundary; the table below has the figures",
    bars(shown, HEADROOM * Math.max(...shown, 1e-9), "boundary", (index) => (low <= index && index <= high ? "inside" : "")),
    shown.length,
    "The probability that a machine began with this sentence, if one did; the interval stands out.",
  );
}

function figure(label, marks, count, caption) {
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label };
  return html("figure", {}, [svg("svg", box, marks), numbers(count), html("figcaption", {}, [caption])]);
}

/** The sentences' numbers, each under its bar, or every so many of them. */
function numbers(count) {
  const every = Math.ceil(count / MOST_NUMBERS);
  const cells = Array.from({ length: count }, (_, index) => html("span", {}, index % every ? [] : [String(index + 1)]));
  return html("div", { class: "numbers", "aria-hidden": "true" }, cells);
}

function bars(values, highest, what, kind) {
  const step = WIDTH / values.length;
  return values.map((value, index) => {
    const height = (HEIGHT * value) / highest;
    const place = { x: (index + 0.1) * step, width: 0.8 * step, y: HEIGHT - height, height, class: kind(index) };
    return svg("rect", place, [svg("title", {}, [`sentence ${index + 1}: ${what} ${value.toFixed(2)}`])]);
  });
}

function sentenceTable({ sentences, posterior }) {
  const places = givenMachine(posterior);
  return html("details", {}, [
    html("summary", {}, ["The figures of every sentence"]),
    table(
      ["sentence", "a machine’s", "surprisal", "expected", "begins here"],
      sentences.map(({ probability, surprisal, expected }, index) => [
        String(index + 1), percent(probability), surprisal.toFixed(2), expected.toFixed(2), percent(places[index]),
      ]),
    ),
  ]);
}

/** Of each place, if a machine wrote any of it. */
function givenMachine(posterior) {
  const places = posterior.slice(0, -1);
  const any = Math.max(places.reduce((sum, share) => sum + share, 0), 1e-300);
  return places.map((share) => share / any);
}

function kindsTable({ kinds }, heading) {
  const rows = Object.entries(kinds).sort(([, a], [, b]) => b - a);
  if (!rows.length) return [];
  return [
    html(`h${heading}`, {}, ["The whole text"]),
    table(["writer", "probability"], rows.map(([kind, share]) => [kind, percent(share)])),
    html("p", { class: "note" }, ["Among the writers that the head learned from alone; whoever else wrote it is not in the list."]),
  ];
}

function table(columns, rows) {
  const cells = (tag, row) => html("tr", {}, row.map((cell) => html(tag, tag === "th" ? { scope: "col" } : {}, [cell])));
  const whole = html("table", {}, [
    html("thead", {}, [cells("th", columns)]),
    html("tbody", {}, rows.map((row) => cells("td", row))),
  ]);
  return html("div", { class: "wide", tabindex: 0, role: "group", "aria-label": columns.join(", ") }, [whole]);
}

function percent(share) {
  return `${(100 * share).toFixed(0)} %`;
}

function html(tag, attributes = {}, children = []) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, children = []) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
