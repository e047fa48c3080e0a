// The frame of the page: views, the stream of states, what is wrong.

import { live } from "./live.js";
import { photo } from "./photo.js";
import { webcam } from "./webcam.js";
import { html } from "./faces.js";

const byId = (id) => document.getElementById(id);
const VIEWS = { live, photo, webcam };

/** A fetch whose error says what to do; a lost login leads to the login form. */
export async function call(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw Object.assign(new Error("The device cannot be reached. Trying again helps once it is back."), { offline: true });
  }
  if (response.ok) return response;
  if (response.status === 401) location.assign("/login");
  const problem = await response.json().catch(() => ({ detail: response.statusText }));
  const text = problem.remedy ? `${problem.detail} (${problem.remedy})` : problem.detail;
  throw Object.assign(new Error(text[0].toUpperCase() + text.slice(1)), { status: response.status, response });
}

/** Lasting notices by name; without a text it goes. */
export function notice(name, title, text, bad = false) {
  const old = document.querySelector(`[data-notice="${name}"]`);
  if (!title) return old?.remove();
  if (old?.textContent === title + (text ?? "")) return;
  const element = html("p", { class: bad ? "notice bad" : "notice", "data-notice": name }, html("strong", {}, title), text ?? "");
  if (old) old.replaceWith(element); else byId("notices").append(element);
}

function show() {
  const wanted = location.hash.slice(1);
  const name = wanted in VIEWS ? wanted : "live";
  for (const [key, view] of Object.entries(VIEWS)) {
    byId(key).hidden = key !== name;
    if (key === name) view.enter(); else view.leave();
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.title = `${{ live: "Live", photo: "Photo", webcam: "This camera" }[name]} · emotiond`;
}

// The stream: opened again whenever it ends or falls silent, closed while nobody sees the page.
const SILENCE_MS = 5000;
let source = null, heard = 0, again = null;

function open() {
  close();
  if (document.hidden) return;
  heard = performance.now();
  source = new EventSource("/api/v1/events");
  source.addEventListener("state", (message) => {
    heard = performance.now();
    receive(JSON.parse(message.data));
  });
  source.onerror = () => {
    lost();
    // A stream that was refused is not opened again by the browser.
    if (source?.readyState === EventSource.CLOSED) retry();
  };
}

function close() {
  source?.close();
  source = null;
  clearTimeout(again);
}

function retry() {
  close();
  again = setTimeout(async () => {
    try { await call("/api/v1/state"); } catch { return retry(); }
    open();
  }, 2000);
}

let connected = false;

function receive(status) {
  if (!connected) {
    connected = true;
    live.connected();
  }
  byId("device").textContent = status.device;
  byId("version").textContent = `emotiond ${status.version}`;
  const { parts, details } = status;
  notice("broker", parts.broker.state === "away" && "Broker away", `Nothing is published until it is back: ${details.broker || "connecting"}`);
  notice("pipeline", parts.pipeline.state === "failing" && "Detection off", "The nets fail on this device: see its log.", true);
  live.receive(status);
}

function lost() {
  connected = false;
  live.lost();
}

setInterval(() => {
  if (source && performance.now() - heard > SILENCE_MS) { lost(); open(); }
}, 1000);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { close(); VIEWS.live.leave(); webcam.pause(); } else { open(); show(); }
});
addEventListener("hashchange", () => { if (location.hash !== "#main") show(); });
addEventListener("pagehide", close);

byId("logout").addEventListener("click", async () => {
  await fetch("/logout", { method: "POST" });
  location.assign("/login");
});
// Without a token the login form leads back here.
fetch("/login", { redirect: "manual" }).then((answer) => { byId("logout").hidden = answer.type === "opaqueredirect" || !answer.ok; }).catch(() => {});

show();
open();
