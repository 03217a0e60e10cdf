// What the parts of the page share: the signs, the words of ids, and what is asked of the cell with its answer.

import { h } from "preact";
import { effect, signal } from "@preact/signals";
import htm from "htm";
import { ask, cell } from "/static/feed.js";
import { texts as t } from "/static/texts.js";

export const html = htm.bind(h);

// What the last press led to, and the state before; shown until the next press, or until another state is reached.
export const NOTHING = { text: "", bad: false, before: null };
export const outcome = signal(NOTHING);

export async function send(name, path, body, method = "POST") {
  const before = cell.value.state;
  outcome.value = { ...NOTHING, text: t.sending(name) };
  const { accepted, text } = await ask(path, body, method);
  if (accepted) outcome.value = { text: t.accepted(name, text), bad: false, before };
  else outcome.value = { ...NOTHING, text: text === null ? t.unreachable : t.refused(name, text), bad: true };
}

// What was accepted is forgotten when the cell has come to rest: the state itself is on the page.
effect(() => {
  const { before } = outcome.value;
  const state = cell.value?.state;
  if (before && state !== before && !state.endsWith("ing")) outcome.value = NOTHING;
});

// Ids as people read them; the name of a signal, such as plc.air_pressure, stays as it is.
export function words(text) {
  return text.replace(/\w+(?:\.\w+)*/g, (word) => (word.includes(".") ? word : word.replaceAll("_", " ")));
}

// Shape says it, colour only repeats it.
const SIGNS = {
  high: "M8 1 15 14H1Z M8 6v4 M8 11.5v1",
  medium: "M8 1 15 8 8 15 1 8Z M8 5v4 M8 10.5v1",
  low: "M2 2h12v12H2Z M8 5v4 M8 10.5v1",
  shelved: "M8 2a6 6 0 1 0 .01 0Z M8 4.5V8l2.5 2",
  alarm: "M8 1 15 14H1Z M8 6v4 M8 11.5v1",
  fault: "M8 1 15 14H1Z M8 6v4 M8 11.5v1",
  stale: "M2 2 14 14 M14 2 2 14",
  down: "M3 3 13 13 M13 3 3 13",
  up: "M3 8.5 6.5 12 13 4",
  "state-Execute": "M4 2 13 8 4 14Z",
  "state-Held": "M5 3v10 M11 3v10",
  "state-Suspended": "M5 3v10 M11 3v10",
  "state-Stopped": "M3 3h10v10H3Z",
  "state-Idle": "M8 2a6 6 0 1 0 .01 0Z",
  "state-Completed": "M3 8.5 6.5 12 13 4",
};

export function Sign({ kind }) {
  const path = SIGNS[kind] ?? (kind.startsWith("state-") ? "M3 8h10 M9 4l4 4-4 4" : "M8 2a6 6 0 1 0 .01 0Z M8 7v4.5 M8 4.5v.5");
  return html`<svg class=${`sign ${kind}`} viewBox="0 0 16 16" aria-hidden="true"><path d=${path} /></svg>`;
}
