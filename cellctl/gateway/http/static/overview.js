// The overview: one page that says what the cell does, why it waits, and what may be pressed.

import { render } from "preact";
import { useRef, useState } from "preact/hooks";
import { Alarms } from "/static/alarms.js";
import { cell, devices, follow, stale } from "/static/feed.js";
import { html, NOTHING, outcome, send, Sign, words } from "/static/shared.js";
import { texts as t } from "/static/texts.js";

// One place for each pair of which the state takes at most one; the first is shown when it takes neither.
const PLACES = [["reset", "clear"], ["start"], ["hold", "unhold"], ["suspend", "unsuspend"], ["complete"]];
const HOLD_MS = 1000;

function Page() {
  const now = cell.value;
  const old = stale.value;
  document.title = now ? `${now.name} · ${old ? t.no_data : now.state}` : t.no_data;
  if (!now) return html`<main class="waiting" role="status"><h1>${t.no_data}</h1></main>`;
  return html`
    <div class=${old ? "page stale" : "page"}>
      <${Head} now=${now} />
      <main>
        <div class="grid">
          <${Production} now=${now} />
          <${Stations} stations=${now.stations} />
          <${Reasons} now=${now} />
          <${Devices} list=${devices.value} />
        </div>
      </main>
      <${Commands} now=${now} old=${old} />
    </div>`;
}

function Head({ now }) {
  const some = now.simulated ? [] : devices.value.filter((one) => one.simulated).map((one) => one.id);
  return html`
    <header>
      <h1>${now.name}</h1>
      ${now.simulated && html`<p class="simulated" title=${t.simulated_why}>${t.simulated}</p>`}
      ${some.length > 0 && html`<p class="simulated">${t.partly(some.join(", "))}</p>`}
      ${stale.value && html`<p class="nodata" role="alert"><${Sign} kind="stale" /><b>${t.no_data}</b> ${t.no_data_why}</p>`}
      <a class="language" href=${`?lang=${t.other.lang}`} hreflang=${t.other.lang} lang=${t.other.lang}>${t.other.name}</a>
      <p class="mode">${t.mode}: <b>${now.mode}</b></p>
    </header>`;
}

function Production({ now }) {
  const job = now.job;
  const share = job && job.quantity ? Math.min(1, job.done / job.quantity) : 0;
  return html`
    <section class="production" aria-label=${t.product}>
      <div class="state" aria-live="polite">
        <${Sign} kind=${abnormal(now) ? "alarm" : `state-${now.state}`} />
        <div><strong class="value">${now.state}</strong><span>${t.states[now.state] ?? ""}</span></div>
      </div>
      <dl>
        <div class="wide"><dt>${t.recipe}</dt>
          <dd class="value">${now.recipe ? html`${now.recipe.id} <small>v${now.recipe.version}</small>` : t.no_recipe}</dd></div>
        ${now.recipe?.product && html`<div class="wide"><dt>${t.product}</dt><dd class="value">${now.recipe.product}</dd></div>`}
        <div class="wide"><dt>${t.job}</dt>
          <dd>${job ? html`<span class="value">${t.of(job.done, job.quantity)}</span> <small>${job.id}</small>` : t.no_job}
            ${job && html`<div class="bar" role="progressbar" aria-label=${t.job} aria-valuemin="0" aria-valuemax=${job.quantity} aria-valuenow=${job.done}><i style=${{ width: `${share * 100}%` }}></i></div>`}
            ${now.jobs_waiting > 0 && html`<small>${t.jobs_waiting(now.jobs_waiting)}</small>`}
          </dd></div>
        <div><dt>${t.good}</dt><dd class="count value" data-count="good">${now.counts.good}</dd></div>
        <div><dt>${t.reject}</dt><dd class="count value" data-count="reject">${now.counts.reject}</dd></div>
      </dl>
    </section>`;
}

function Stations({ stations }) {
  return html`
    <section class="stations" aria-label=${t.stations}>
      <h2>${t.stations}</h2>
      <ol>${stations.map((station) => html`
        <li key=${station.id} class=${station.part ? "full" : "empty"}>
          <h3>${station.text}</h3>
          ${station.part
            ? html`<b class="part value">${station.part}</b>
                <span class="value">${words(station.doing) || t.station_idle}</span>
                ${station.waits.map((wait) => html`<small key=${wait} class="value">${words(wait)}</small>`)}`
            : html`<span class="value">${t.station_empty}</span>`}
        </li>`)}
      </ol>
    </section>`;
}

function Reasons({ now }) {
  const producing = now.state === "Execute";
  const changeover = now.changeover?.done === false ? now.changeover : null;
  const quiet = !now.why.length && !now.alarms.length && !now.hidden_alarms.length && !changeover;
  return html`
    <section class="reasons" aria-label=${producing ? t.running : t.not_running}>
      <h2>${producing ? t.running : t.not_running}</h2>
      <ul>
        <${Alarms} now=${now} />
        ${changeover && html`
          <li class="changeover">
            <${Sign} kind="changeover" />
            <div><span class="value">${t.changeover(changeover.recipe, changeover.index + 1, changeover.steps.length)}</span>
              <em>${t.changeover_do(changeover.recipe)}</em></div>
          </li>`}
        ${now.why.map((reason) => html`
          <li key=${reason.id} class=${reason.kind}>
            <${Sign} kind=${reason.kind} />
            <div><span class="value">${words(reason.text)}</span>${reason.do && !reason.choices.length && html`<em>${reason.do}</em>`}
              ${reason.sensors.length > 0 && html`<${Sensors} list=${reason.sensors} />`}
              ${reason.choices.length > 0 && html`<div class="choices" role="group" aria-label=${t.choose}>
                ${reason.choices.map((choice) => html`<${Choice} key=${choice} question=${reason.id} choice=${choice} />`)}
              </div>`}
            </div>
          </li>`)}
        ${quiet && html`<li class="quiet">${t.nothing_waits}</li>`}
      </ul>
    </section>`;
}

function Sensors({ list }) {
  const reading = (value, unit) =>
    value === null ? t.not_known : typeof value === "boolean" ? t.bool[value] : `${value} ${unit}`.trimEnd();
  return html`
    <table class="sensors">
      <thead><tr><th>${t.sensor}</th><th>${t.then}</th><th>${t.now}</th></tr></thead>
      <tbody>${list.map((one) => html`
        <tr key=${one.signal} class=${one.then === one.now ? "" : "changed"}>
          <td>${one.signal}</td><td>${reading(one.then, one.unit)}</td><td class="value">${reading(one.now, one.unit)}</td>
        </tr>`)}
      </tbody>
    </table>`;
}

function Choice({ question, choice }) {
  const press = () => send(choice, "recover", { question, choice });
  return html`<button disabled=${stale.value} onClick=${press}>${choice}</button>`;
}

function Devices({ list }) {
  return html`
    <section class="devices" aria-label=${t.devices}>
      <h2>${t.devices}</h2>
      <ul>${list.map((device) => html`
        <li key=${device.id} class=${device.link === "connected" ? "up" : "down"} title=${device.reason}>
          <${Sign} kind=${device.link === "connected" ? "up" : "down"} />
          <div><b>${device.id}</b><span class="value">${t.link[device.link] ?? device.link}</span></div>
        </li>`)}
      </ul>
    </section>`;
}

function Commands({ now, old }) {
  const rules = Object.fromEntries(now.commands.map((command) => [command.command, command]));
  const shown = PLACES.map((names) => rules[names.find((name) => rules[name].in_state) ?? names[0]]);
  return html`
    <footer>
      <p class="notes">
        <span class="note">${t.not_safety}</span>
        <span class=${outcome.value.bad ? "outcome bad" : "outcome"} role="status">${outcome.value.text}</span>
      </p>
      <nav>
        ${shown.map((rule) => html`<${Button} key=${rule.command} rule=${rule} old=${old} />`)}
        <span class="gap"></span>
        <${Button} rule=${rules.stop} old=${old} />
        <${HoldButton} rule=${rules.abort} old=${old} />
      </nav>
    </footer>`;
}

function Button({ rule, old }) {
  return html`
    <button class="command" data-command=${rule.command} disabled=${old || !rule.legal} onClick=${() => press(rule)}>
      <b>${title(rule)}</b><small>${old ? t.no_data : rule.reason}</small>
    </button>`;
}

function HoldButton({ rule, old }) {
  const timer = useRef(0);
  const [pressed, setPressed] = useState(false);
  const off = old || !rule.legal;
  const end = () => {
    if (timer.current) outcome.value = { ...NOTHING, text: t.hold_longer(title(rule)) };
    clearTimeout(timer.current);
    timer.current = 0;
    setPressed(false);
  };
  const begin = (event) => {
    if (off || (event.type === "keydown" && (event.repeat || (event.key !== " " && event.key !== "Enter")))) return;
    setPressed(true);
    timer.current = setTimeout(() => {
      timer.current = 0;
      setPressed(false);
      press(rule);
    }, HOLD_MS);
  };
  return html`
    <button class=${pressed ? "command held" : "command"} data-command=${rule.command} disabled=${off}
      onPointerDown=${begin} onPointerUp=${end} onPointerLeave=${end} onPointerCancel=${end}
      onKeyDown=${begin} onKeyUp=${end} onBlur=${end} onContextMenu=${(event) => event.preventDefault()}>
      <b>${title(rule)}</b><small>${old ? t.no_data : rule.reason || t.hold_to_press}</small>
    </button>`;
}

function press(rule) {
  send(title(rule), "commands", { command: rule.command });
}

function title(rule) {
  return t.commands[rule.command] ?? rule.title;
}

function abnormal(now) {
  return ["Aborted", "Aborting"].includes(now.state);
}

follow();
render(html`<${Page} />`, document.body);
