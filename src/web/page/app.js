// The frame of the page: views, the stream of states, what is wrong.

import { connect } from "./feed.js";
import { live } from "./live.js";
import { photo } from "./photo.js";
import { webcam } from "./webcam.js";
import { html } from "./faces.js";

const byId = (id) => document.getElementById(id);
const VIEWS = { live, photo, webcam };

/** A fetch whose error has the status; a lost login leads to the login form. What to do is said by who asked. */
export async function call(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw Object.assign(new Error("the device cannot be reached"), { status: 0 });
  }
  if (response.ok) return response;
  if (response.status === 401) login();
  const { detail } = await response.json().catch(() => ({ detail: response.statusText }));
  throw Object.assign(new Error(detail), { status: response.status, after: Number(response.headers.get("Retry-After")) || 1 });
}

/** Lasting notices by name; without a text it goes. */
export function notice(name, title, text, bad = false) {
  const old = document.querySelector(`[data-notice="${name}"]`);
  if (!title) return old?.remove();
  if (old?.textContent === title + (text ?? "")) return;
  const element = html("p", { class: bad ? "notice bad" : "notice", "data-notice": name }, html("strong", {}, title), text ?? "");
  if (old) old.replaceWith(element); else byId("notices").append(element);
}

/** The one behind the #. The sections are called otherwise, or the browser would scroll to them. */
function view() {
  const name = location.hash.slice(1);
  return name in VIEWS ? name : "live";
}

function show() {
  const name = view();
  for (const [key, view] of Object.entries(VIEWS)) {
    byId(`${key}-view`).hidden = key !== name;
    if (key === name) view.enter(); else view.leave();
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.title = `${{ live: "Live", photo: "Photo", webcam: "This camera" }[name]} · emotiond`;
  want();
}

// Nothing is asked of the device while nobody sees the page.
const feed = connect((message) => {
  if (message.state) receive(message.state);
  if (message.lost) lost();
  if (message.login) login();
  if (message.picture) live.picture(message);
  if ("refused" in message) live.refuse(message.refused);
});

function want() {
  const seen = !document.hidden && !left;
  feed.want({ states: seen, pictures: seen && view() === "live" });
}

/** Back to this view after the login. */
function login() {
  location.assign(`/login${location.hash}`);
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
  notice("broker", (parts.broker.state === "away" && "Broker away") || (parts.broker.state === "yielding" && "Another device has this id"), `Nothing is published until it is back: ${details.broker || "connecting"}`);
  notice("pipeline", parts.pipeline.state === "failing" && "Detection off", "The nets fail on this device: see its log.", true);
  live.receive(status);
}

function lost() {
  connected = false;
  live.lost();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { VIEWS.live.leave(); webcam.pause(); } else show();
  want();
});
addEventListener("hashchange", () => { if (location.hash !== "#main") show(); });
// A page that is kept for the way back must not hold the device.
let left = false;
addEventListener("pagehide", () => { left = true; want(); });
addEventListener("pageshow", () => { left = false; want(); });

// A picture that is dropped anywhere is looked at, instead of being opened in the page's place.
addEventListener("dragover", (event) => { event.preventDefault(); });
addEventListener("drop", (event) => {
  event.preventDefault();
  if (!event.dataTransfer.files.length) return;
  location.hash = "#photo";
  photo.take([...event.dataTransfer.files]);
});

byId("logout").addEventListener("click", async () => {
  await fetch("/logout", { method: "POST" });
  login();
});
// Without a token the login form leads back here.
fetch("/login", { redirect: "manual" }).then((answer) => { byId("logout").hidden = answer.type === "opaqueredirect" || !answer.ok; }).catch(() => {});

show();
