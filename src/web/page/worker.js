// One feed for all windows: what any of them wants is asked of the device once.

import { Feed, GONE_MS } from "./feed.js";

/** By port: what its window wants and when it said so. */
const windows = new Map();
let state = null;

const feed = new Feed((message) => {
  if (message.state) ({ state } = message);
  if (message.lost) state = null;
  for (const [port, { wants }] of windows) {
    if ("picture" in message || "refused" in message ? wants.pictures : wants.states) port.postMessage(message);
  }
});

function ask() {
  const all = [...windows.values()].map(({ wants }) => wants);
  const wants = { states: all.some(({ states }) => states), pictures: all.some(({ pictures }) => pictures) };
  if (!wants.states) state = null;
  feed.want(wants);
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data: wants }) => {
    // What the others know already is told to who joins them.
    if (wants.states && !windows.get(port)?.wants.states && state) port.postMessage({ state });
    windows.set(port, { wants, at: performance.now() });
    ask();
  };
};

setInterval(() => {
  for (const [port, { at }] of windows) {
    if (performance.now() - at > GONE_MS) windows.delete(port);
  }
  ask();
}, 5000);
