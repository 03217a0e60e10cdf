// The alarms of the cell: what is not acknowledged first; acknowledge, shelve with a reason, and what is shelved.
// The rule kept here: the list stays short enough to be used. Beyond ALARMS_SHOWN it says how many more there are, and
// only what is shown can be acknowledged, because only that was seen.

import { useState } from "preact/hooks";
import { stale } from "/static/feed.js";
import { html, send, Sign } from "/static/shared.js";
import { language, texts as t } from "/static/texts.js";

const ALARMS_SHOWN = 5;
const NS_PER_S = 1e9;
const SPANS_S = [600, 3600, 8 * 3600]; // what is offered, as far as the alarm may be shelved for so long

export function Alarms({ now }) {
  const [all, setAll] = useState(false);
  const [shelving, setShelving] = useState("");
  const shown = all ? now.alarms : now.alarms.slice(0, ALARMS_SHOWN);
  const more = now.alarms.length - shown.length;
  const open = shown.filter(wanting);
  const chosen = [...now.alarms, ...now.hidden_alarms].find((alarm) => alarm.id === shelving);
  return html`
    ${now.flood && html`<li class="alarm high flood" role="alert"><${Sign} kind="high" /><div><b>${t.flood}</b><em>${t.flood_do}</em></div></li>`}
    ${(more > 0 || open.length > 1 || all) && html`
      <li class="all"><div class="choices">
        ${open.length > 1 && html`<button disabled=${stale.value} onClick=${() => acknowledge(open)}>${t.acknowledge_shown(open.length)}</button>`}
        ${more > 0 && html`<button class="more" onClick=${() => setAll(true)}>${t.more_alarms(more)}</button>`}
        ${all && now.alarms.length > ALARMS_SHOWN && html`<button class="more" onClick=${() => setAll(false)}>${t.fewer_alarms}</button>`}
      </div></li>`}
    ${shown.map((alarm) => html`<${Alarm} key=${alarm.id} alarm=${alarm} shelve=${() => setShelving(alarm.id)} />`)}
    ${now.hidden_alarms.map((alarm) => html`<${Hidden} key=${alarm.id} alarm=${alarm} />`)}
    ${chosen && html`<${Shelving} alarm=${chosen} end=${() => setShelving("")} />`}`;
}

function Alarm({ alarm, shelve }) {
  const { text, do: what } = told(alarm);
  return html`
    <li class=${`alarm ${alarm.priority} ${alarm.state}`} data-alarm=${alarm.id}>
      <${Sign} kind=${alarm.priority} />
      <div>
        <b>${t.alarm} · ${t.priority[alarm.priority]}</b>
        ${alarm.first_out && html` <b class="first">${t.first}</b>`}
        <small class="value">${t.alarm_state[alarm.state]}</small>
        <span class="value">${text}</span><em>${what}</em>
        ${(wanting(alarm) || alarm.shelve_ns > 0) && html`
          <div class="choices" role="group" aria-label=${text}>
            ${wanting(alarm) && html`<button disabled=${stale.value} onClick=${() => acknowledge([alarm])}>${t.acknowledge}</button>`}
            ${alarm.shelve_ns > 0 && html`<button disabled=${stale.value} onClick=${shelve}>${t.shelve}</button>`}
          </div>`}
      </div>
    </li>`;
}

function Hidden({ alarm }) {
  const until = alarm.until_ns ? t.shelved_until(clock(alarm.until_ns), alarm.by) : t.alarm_state.suppressed;
  const show = () => send(t.show_again, `alarms/shelved/${encodeURIComponent(alarm.id)}`, {}, "DELETE");
  return html`
    <li class="hidden" data-alarm=${alarm.id}>
      <${Sign} kind="shelved" />
      <div>
        <span class="value">${told(alarm).text}</span>
        <em>${until}${alarm.reason && `: ${alarm.reason}`}</em>
        ${alarm.until_ns > 0 && html`<div class="choices"><button disabled=${stale.value} onClick=${show}>${t.show_again}</button></div>`}
      </div>
    </li>`;
}

// For how long and why: both by touch alone; who has a keyboard may write another reason.
function Shelving({ alarm, end }) {
  const spans = SPANS_S.filter((span) => span * NS_PER_S < alarm.shelve_ns).concat(alarm.shelve_ns / NS_PER_S);
  const [span, setSpan] = useState(spans[0]);
  const [reason, setReason] = useState("");
  const shelve = () => {
    send(t.shelve, "alarms/shelved", { alarm: alarm.id, for: `${span} s`, reason: reason.trim() });
    end();
  };
  return html`
    <li class="sheet" role="dialog" aria-modal="true" aria-label=${t.shelve}>
      <div class="panel" onKeyDown=${(event) => event.key === "Escape" && end()}>
        <h2>${t.shelve}: ${told(alarm).text}</h2>
        <p>${t.shelve_for}</p>
        <div class="choices" role="group" aria-label=${t.shelve_for}>
          ${spans.map((one) => html`<button key=${one} aria-pressed=${one === span} onClick=${() => setSpan(one)}>${t.span(one)}</button>`)}
        </div>
        <p>${t.shelve_why}</p>
        <div class="choices" role="group" aria-label=${t.shelve_why}>
          ${t.reasons.map((one) => html`<button key=${one} aria-pressed=${one === reason} onClick=${() => setReason(one)}>${one}</button>`)}
        </div>
        <input aria-label=${t.shelve_why} placeholder=${t.other_reason} maxlength="200" value=${reason} onInput=${(event) => setReason(event.target.value)} />
        <div class="choices">
          <button onClick=${end}>${t.cancel}</button>
          <button class="go" disabled=${stale.value || !reason.trim()} onClick=${shelve}>${t.shelve}</button>
        </div>
      </div>
    </li>`;
}

function wanting(alarm) {
  return alarm.state === "unacknowledged" || alarm.state === "returned";
}

function acknowledge(alarms) {
  send(t.acknowledge, "alarms/acknowledge", { alarms: alarms.map((alarm) => alarm.id) });
}

function told(alarm) {
  return alarm.words[language] ?? alarm;
}

function clock(ns) {
  return new Date(ns / 1e6).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
}
