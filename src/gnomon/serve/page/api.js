// The server's own API, as this page uses it.

const KEY = "gnomon.key";

/** What the server said when it refused, in its words. */
export class ServerError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** Ask for something; where a key is missing, ask the reader for it and try again. */
async function ask(path, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = { ...options.headers, ...(key ? { authorization: `Bearer ${key}` } : {}) };
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ServerError("The server cannot be reached.");
    }
    if (response.status === 401) {
      await askForKey(key !== null);
      continue;
    }
    if (!response.ok) throw new ServerError(await said(response), response.status);
    return response;
  }
}

async function said(response) {
  const wait = response.headers.get("retry-after");
  try {
    const { error } = await response.json();
    return wait ? `${error.message} (in ${wait} s)` : error.message;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

let asking = null;

function askForKey(wasWrong) {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("key-dialog");
    const form = document.getElementById("key-form");
    const field = document.getElementById("key");
    document.getElementById("key-error").hidden = !wasWrong;
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        sessionStorage.setItem(KEY, field.value.trim());
        field.value = "";
        dialog.close();
        asking = null;
        resolve();
      },
      { once: true },
    );
    // Escape closes it whatever we say; without a key there is nothing behind it.
    dialog.onclose = () => asking && dialog.showModal();
    dialog.showModal();
  });
  return asking;
}

export async function getModel() {
  const { data } = await (await ask("/v1/models")).json();
  return data[0];
}

export async function getReport() {
  return (await ask("/report")).json();
}

/** Where in `text` a machine took over. `signal` ends it early. */
export async function detect(text, signal) {
  const response = await ask("/detect", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text }),
    signal,
  });
  return response.json();
}

/** The chunks of an answer as they come. `signal` ends it early. */
export async function* streamChat(request, signal) {
  const response = await ask("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  let isComplete = false;
  for await (const data of events(response.body)) {
    if (data === "[DONE]") {
      isComplete = true;
      break;
    }
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ServerError(chunk.error.message);
    yield chunk;
  }
  if (!isComplete) throw new ServerError("The connection broke off.");
}

/** The `data:` of server-sent events. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      if (part.startsWith("data: ")) yield part.slice("data: ".length);
    }
  }
}
