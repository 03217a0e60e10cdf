// The live copy of the cell in this page, and what the person asks of it.
// The rule kept here: an old value is never shown as live. Without news for STALE_MS the feed counts as stale, also
// if the server still answers; nothing is queued while it is.

import { signal } from "@preact/signals";

const STALE_MS = 2300; // the page must say so within 2.5 s
const REOPEN_MS = 1000;

export const cell = signal(null);
export const devices = signal([]);
export const stale = signal(true);

let heard = -Infinity;

export function follow() {
  const stream = new EventSource("/api/v1/stream?signals=false");
  stream.addEventListener("snapshot", (event) => take(JSON.parse(event.data), {}));
  stream.addEventListener("change", (event) => take(JSON.parse(event.data), cell.value ?? {}));
  stream.addEventListener("alive", fresh);
  stream.addEventListener("lost", () => (stale.value = true));
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, REOPEN_MS);
  });
}

setInterval(() => {
  if (performance.now() - heard > STALE_MS) stale.value = true;
}, 100);

function take(news, before) {
  if (news.cell) cell.value = { ...before, ...news.cell };
  if (news.devices) devices.value = news.devices;
  fresh();
}

function fresh() {
  heard = performance.now();
  stale.value = false;
}

// Ask the cell for something; resolves to {accepted, text}. Never throws, never retries.
export async function ask(path, body, method = "POST") {
  if (stale.value) return { accepted: false, text: "" };
  try {
    const asked = { id: requestId(), ...body };
    const there = method === "POST" ? path : `${path}?${new URLSearchParams(asked)}`;
    const answer = await fetch(`/api/v1/${there}`, {
      method,
      headers: { "Content-Type": "application/json" },
      body: method === "POST" ? JSON.stringify(asked) : undefined,
      signal: AbortSignal.timeout(5000),
    });
    const told = await answer.json();
    return { accepted: answer.ok, text: answer.ok ? told.text : told.reason };
  } catch {
    return { accepted: false, text: null };
  }
}

// crypto.randomUUID is missing where the page is served without TLS from another computer.
function requestId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
