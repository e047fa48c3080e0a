// The live view.

import { call, notice } from "./app.js";
import { describe, draw, figure, named, html, percent, scoreBars, svg, title, EMOTIONS } from "./faces.js";

const byId = (id) => document.getElementById(id);
const bars = scoreBars();
byId("now-scores").append(bars.element);
bars.set({});

let status = null, shown = false;
// States by frame, to draw each picture with its own boxes.
const recent = [];
const RECENT = 40;

function facesOf(state) {
  return state?.primary ? [state.primary, ...state.others] : [];
}

// ---- the picture

let bitmap = null, refused = "", next = null, busy = false;

/** Only the newest picture is shown when they come faster than they can be. */
async function paint(message) {
  next = message;
  if (busy) return;
  busy = true;
  while (next) {
    const { picture, sequence } = next;
    next = null;
    const image = await createImageBitmap(picture).catch(() => null);
    if (!image) continue;
    bitmap?.image.close();
    bitmap = { image, sequence };
    paintPicture();
  }
  busy = false;
}

function paintPicture() {
  if (!bitmap || !shown) return;
  const own = recent.findLast((state) => state.frame.sequence <= bitmap.sequence) ?? recent.at(-1);
  const { image } = bitmap;
  const size = own?.frame ?? { width: image.width, height: image.height };
  byId("picture").parentElement.style.aspectRatio = `${size.width} / ${size.height}`;
  draw(byId("picture"), image, size.width, size.height, facesOf(own));
  cover();
}

/** What hides the picture, and why. */
function cover() {
  let text = null;
  const camera = status?.parts.camera.state;
  if (!online) text = ["No connection", "The device does not answer. Trying again."];
  else if (camera === "off" || status?.enabled === false) text = ["Camera off", "Detection is off: nothing is read until the camera is switched on again.", true];
  else if (camera === "lost") text = ["No camera", `${sentence(status.details.camera)} Trying again.`, true];
  else if (camera === "damaged") text = ["Damaged pictures", `The camera is connected, but none of its pictures is whole. ${sentence(status.details.camera)} Trying again.`, true];
  else if (camera === "ended") text = ["The replay has ended", "Restart the device's program to see it again."];
  else if (camera === "starting" || !status?.frame) text = ["Starting", "The camera is being opened."];
  else if (refused && !bitmap) text = ["No picture yet", `${sentence(refused)} Trying again.`];
  else if (!bitmap) text = ["Loading", "The first picture is on its way."];
  const element = byId("cover");
  element.hidden = !text;
  byId("reading").hidden = camera !== "streaming" || !online;
  if (!text) return;
  element.classList.toggle("struck", text[2] === true);
  if (byId("cover-title").textContent !== text[0]) byId("cover-title").textContent = text[0];
  if (byId("cover-text").textContent !== text[1]) byId("cover-text").textContent = text[1];
}

const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "");

// ---- now

let spoken = "", face = "";

function now() {
  const reading = online && status.parts.camera.state === "streaming";
  const name = reading ? status.emotion : "off";
  if (face !== name) {
    face = name;
    byId("now-face").replaceChildren(figure(name));
  }
  const headline = reading && status.primary ? named(status.primary) : title(name);
  if (byId("now-name").textContent !== headline) byId("now-name").textContent = headline;
  const lasted = `for ${duration(Date.parse(status.time) - Date.parse(status.since))}`;
  const sure = status.faces > 0 ? `${percent(status.confidence)} sure, ` : "";
  byId("now-sub").textContent = reading ? sure + lasted : "";
  bars.set(reading ? status.scores : {});
  const words = reading ? describe(facesOf(status)) : "no picture";
  byId("picture").setAttribute("aria-label", `Live picture: ${words}`);
  if (spoken !== words) {
    spoken = words;
    byId("spoken").textContent = words;
  }
  byId("fact-faces").textContent = reading ? status.faces : "–";
  byId("fact-fps").textContent = reading ? status.fps.toFixed(1) : "–";
  byId("fact-latency").textContent = reading ? `${status.latency_ms.p50.toFixed(0)} ms` : "–";
}

function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

const PARTS = { camera: "Camera", broker: "Broker", display: "Display", pipeline: "Nets" };
const WORDS = { lost: "no camera", damaged: "damaged pictures", yielding: "id taken", absent: "no panel" };
const UNKNOWN = { well: true, state: "not known", idle: true };
let partsShown = "";

function parts() {
  const seen = JSON.stringify([online, status.parts, status.details]);
  if (seen === partsShown) return;
  partsShown = seen;
  byId("parts").replaceChildren(...Object.entries(PARTS).map(([key, label]) => {
    // What was true is not told as if it were.
    const part = online ? status.parts[key] : UNKNOWN;
    const { well, state } = part;
    const idle = part.idle || (well && ["off", "absent", "ended", "starting"].includes(state));
    const [mark, kind] = idle ? ["–", "idle"] : well ? ["✓", "well"] : ["!", "unwell"];
    const word = state === "streaming" ? "" : WORDS[state] ?? state;
    const text = [word, idle ? "" : status.details[key]].filter(Boolean).join(": ");
    return html("li", {}, html("span", { class: `mark ${kind}`, "aria-hidden": "true" }, mark), html("span", {}, label), html("span", {}, text));
  }));
}

// ---- the switch

let turning = false;
byId("switch").addEventListener("click", async () => {
  if (turning || !status) return;
  turning = true;
  const enabled = !status.enabled;
  paintSwitch(enabled);
  try {
    await call("/api/v1/enabled", { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ enabled }) });
    notice("switch");
  } catch (error) {
    notice("switch", "The camera was not switched", REFUSALS[error.status] ?? sentence(error.message), true);
    paintSwitch(status.enabled);
  }
  turning = false;
});

const REFUSALS = {
  0: "The device cannot be reached. It works again once the connection is back.",
  409: "The device’s configuration keeps it off: set camera.enabled = true there and restart.",
};

function paintSwitch(enabled) {
  byId("switch").setAttribute("aria-checked", enabled);
  byId("switch-text").textContent = enabled ? `On: ${whereTo()}.` : "Off: the camera is closed, also after a restart.";
}

function whereTo() {
  const ways = { mqtt: "pictures of faces go to the MQTT broker", network: "who has the token sees the pictures over the network" };
  const leave = (status?.pictures_leave ?? []).map((way) => ways[way] ?? `pictures leave by ${way}`);
  return leave.length ? leave.join(", and ") : "pictures stay on the device";
}

// ---- the timeline

const SPAN = 600_000;
let stretches = [];

async function loadTimeline() {
  try {
    const answer = await (await call("/api/v1/timeline")).json();
    stretches = answer.stretches.map(({ from, to, emotion }) => ({ from: Date.parse(from), to: Date.parse(to), emotion }));
    paintTimeline();
  } catch { /* told by the stream */ }
}

function extend() {
  const at = Date.parse(status.time);
  const emotion = status.parts.camera.state === "streaming" ? status.emotion : "off";
  const last = stretches.at(-1);
  // The device's clock was set: its own timeline knows the times by it.
  if (last && (at < last.to - 3000 || at > last.to + SPAN)) loadTimeline();
  if (last && at - last.to > 3000) stretches.push({ from: at, to: at, emotion });
  else if (last?.emotion === emotion) last.to = Math.max(last.to, at);
  else {
    if (last) last.to = at;
    stretches.push({ from: at, to: at, emotion });
  }
  while (stretches.length && stretches[0].to < at - SPAN) stretches.shift();
}

function paintTimeline() {
  const box = byId("timeline");
  const width = Math.max(280, box.clientWidth);
  const known = status && Object.keys(status.scores).length ? Object.keys(status.scores) : lanes;
  lanes = EMOTIONS.filter((name) => known.includes(name));
  const names = [...lanes, "uncertain"];
  const [left, right, step, high] = [82, 46, 17, 11];
  const end = stretches.at(-1)?.to ?? Date.now();
  const x = (t) => left + (width - left - right) * Math.min(1, Math.max(0, 1 - (end - t) / SPAN));
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${names.length * step + 18}`, height: names.length * step + 18, role: "img" });
  const seen = new Map();
  let total = 0;
  for (const { from, to, emotion } of stretches) {
    const length = to - Math.max(from, end - SPAN);
    if (emotion !== "off" && emotion !== "none") total += length;
    seen.set(emotion, (seen.get(emotion) ?? 0) + length);
  }
  const share = (name) => (total > 0 ? (seen.get(name) ?? 0) / total : 0);
  names.forEach((name, row) => {
    const y = row * step;
    const label = svg("text", { x: 0, y: y + high - 1 });
    label.textContent = title(name);
    const lane = svg("rect", { class: "lane", x: left, y, width: width - left - right, height: high, rx: 3 });
    const value = svg("text", { class: "share", x: width, y: y + high - 1, "text-anchor": "end" });
    value.textContent = seen.get(name) ? percent(share(name)) : "";
    drawn.append(label, lane, value);
    for (const { from, to, emotion } of stretches) {
      if (emotion !== name) continue;
      const bar = svg("rect", { x: x(from), y, width: Math.max(1.5, x(to) - x(from)), height: high, rx: 2 });
      bar.style.fill = `var(--${name})`;
      drawn.append(bar);
    }
  });
  for (const minutes of [10, 8, 6, 4, 2, 0]) {
    const at = x(end - minutes * 60_000);
    const anchor = minutes === 10 ? "start" : minutes === 0 ? "end" : "middle";
    const label = svg("text", { x: at, y: names.length * step + 14, "text-anchor": anchor });
    label.textContent = minutes === 0 ? "now" : `${minutes} min`;
    if (width > 480 || [10, 4, 0].includes(minutes)) drawn.append(label);
    if (minutes % 10) drawn.append(svg("line", { class: "grid", x1: at, x2: at, y1: 0, y2: names.length * step - 6 }));
  }
  const words = names.filter((name) => seen.get(name)).sort((a, b) => share(b) - share(a)).map((name) => `${name} ${percent(share(name))}`);
  drawn.setAttribute("aria-label", words.length ? `Of the time with a face: ${words.join(", ")}` : "No face in the last ten minutes");
  box.replaceChildren(drawn);
}
let lanes = EMOTIONS;

// ---- the small display

let oledTag = null, oledUrl = null;

async function mirror() {
  if (!shown || document.hidden || !online || status?.parts.display.state === "off") return;
  try {
    const answer = await fetch("/api/v1/display.png", { headers: oledTag ? { "If-None-Match": oledTag } : {}, cache: "no-store" });
    if (answer.status !== 200) return;
    oledTag = answer.headers.get("ETag");
    const url = URL.createObjectURL(await answer.blob());
    byId("oled").src = url;
    if (oledUrl) URL.revokeObjectURL(oledUrl);
    oledUrl = url;
  } catch { /* told by the stream */ }
}

let online = false;
setInterval(() => { mirror(); if (shown && status) paintTimeline(); }, 1000);
new ResizeObserver(() => { if (shown) { paintTimeline(); paintPicture(); } }).observe(byId("live-view"));

export const live = {
  enter() {
    shown = true;
    mirror();
    if (status) { now(); parts(); }
    paintTimeline();
  },
  leave() {
    shown = false;
  },
  picture: paint,
  refuse(text) {
    refused = text;
    if (status) cover();
  },
  connected() {
    online = true;
    oledTag = null;
    loadTimeline();
    mirror();
  },
  lost() {
    online = false;
    byId("switch").disabled = true;
    byId("switch-text").textContent = "Not known while the device does not answer.";
    byId("oled-figure").hidden = true;
    if (shown && status) { now(); parts(); }
    cover();
  },
  receive(fresh) {
    status = fresh;
    online = true;
    if (status.frame) {
      if (recent.length && recent.at(-1).frame.sequence > status.frame.sequence) recent.length = 0;
      recent.push(status);
      if (recent.length > RECENT) recent.shift();
    } else {
      recent.length = 0;
      bitmap?.image.close();
      bitmap = null;
    }
    extend();
    byId("switch").disabled = false;
    if (!turning) paintSwitch(status.enabled);
    const panel = status.parts.display.state;
    byId("oled-figure").hidden = panel === "off";
    byId("oled-caption").textContent = panel === "absent" ? "What the small display would show" : "The small display";
    if (shown) { now(); parts(); cover(); }
  },
};
