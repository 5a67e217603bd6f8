// The page: its tabs, and what they share. A further tab is a module and a line in TABS.

import { getModel, ServerError } from "./api.js";
import { chatTab } from "./chat_tab.js";
import { detectTab } from "./detect_tab.js";
import { announce, element } from "./dom.js";
import { reportTab } from "./report_tab.js";

// A tab has an `id`, a `title`, and `mount(panel, model)`, which is called when it is first shown.
const TABS = [chatTab, detectTab, reportTab];

const list = document.getElementById("tabs");
const panels = document.getElementById("panels");
const mounted = new Set();
let model = null;

function build() {
  for (const tab of TABS) {
    list.append(
      element(
        "button",
        {
          id: `tab-${tab.id}`,
          type: "button",
          role: "tab",
          "aria-controls": tab.id,
          onclick: () => show(tab),
          onkeydown: (event) => move(event, tab),
        },
        tab.title,
      ),
    );
    panels.append(
      element("section", { id: tab.id, role: "tabpanel", "aria-labelledby": `tab-${tab.id}`, hidden: true }),
    );
  }
}

function show(tab) {
  for (const other of TABS) {
    const isShown = other === tab;
    const button = document.getElementById(`tab-${other.id}`);
    button.setAttribute("aria-selected", String(isShown));
    button.tabIndex = isShown ? 0 : -1;
    document.getElementById(other.id).hidden = !isShown;
  }
  history.replaceState(null, "", `#${tab.id}`);
  if (model && !mounted.has(tab)) {
    mounted.add(tab);
    tab.mount(document.getElementById(tab.id), model);
  }
}

function move(event, tab) {
  const at = TABS.indexOf(tab);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: TABS.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = TABS[(to + TABS.length) % TABS.length];
  show(next);
  document.getElementById(`tab-${next.id}`).focus();
}

async function begin() {
  build();
  const wanted = TABS.find((tab) => `#${tab.id}` === location.hash) ?? TABS[0];
  show(wanted);
  try {
    model = await getModel();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    document.getElementById(wanted.id).append(element("p", { class: "error", role: "alert" }, error.message));
    announce(error.message);
    return;
  }
  document.getElementById("model").textContent = model.id;
  document.title = `${model.id} · gnomon`;
  show(TABS.find((tab) => !document.getElementById(tab.id).hidden));
}

begin();
