// The photo view: one picture in, its faces out.

import { call } from "./app.js";
import { describe, draw, faceEntry, html } from "./faces.js";

const byId = (id) => document.getElementById(id);

// What is larger is scaled down here: the device would take longer, and may refuse it.
const LARGE_BYTES = 12 * 1024 * 1024;
const SIDE = 2400;

let current = null, number = 0;

function say(text, bad = false) {
  byId("photo-status").textContent = text;
  byId("photo-status").classList.toggle("bad", bad);
}

/** The picture as a JPEG of at most SIDE pixels a side, upright. */
async function reduced(file) {
  const image = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const canvas = html("canvas", { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}

function send(blob, query = "") {
  return call(`/api/v1/classify${query}`, { method: "POST", headers: { "Content-Type": blob.type || "application/octet-stream" }, body: blob });
}

async function classify(file) {
  const own = ++number;
  say("Looking for faces …");
  byId("result").hidden = true;
  current = null;
  try {
    let blob = file.size > LARGE_BYTES ? await reduced(file) : file;
    let note = blob === file ? "" : " It was scaled down first.";
    let answer;
    try {
      answer = await send(blob);
    } catch (error) {
      // Too large for the device, or a format that only this browser knows.
      if (blob !== file || ![413, 415].includes(error.status)) throw error;
      blob = await reduced(file).catch(() => { throw error; });
      note = error.status === 413 ? " It was scaled down first." : " It was converted first.";
      answer = await send(blob);
    }
    const picture = await answer.json();
    const image = await createImageBitmap(blob);
    if (own !== number) return;
    current = { blob, picture, image, name: (file.name || "photo").replace(/\.[^.]*$/, "") };
    const words = describe(picture.faces);
    say(`${words[0].toUpperCase()}${words.slice(1)}.${note}`);
    byId("result").hidden = false;
    paint();
    const entries = picture.faces.map((face, index) => faceEntry(face, index + 1));
    byId("photo-faces").replaceChildren(...(entries.length ? entries : [html("li", { class: "hint" }, "None was found. A face should be at least 24 pixels wide and look this way.")]));
    byId("photo-faces-title").textContent = picture.faces.length > 1 ? `${picture.faces.length} faces` : "Faces";
  } catch (error) {
    if (own === number) say(error.name === "InvalidStateError" ? "This is no picture that the browser or the device can read." : error.message, true);
  }
}

function paint() {
  if (!current || byId("photo").hidden) return;
  const { image, picture } = current;
  draw(byId("photo-picture"), image, picture.width, picture.height, picture.faces);
  byId("photo-picture").setAttribute("aria-label", `The photo: ${describe(picture.faces)}`);
}

byId("download").addEventListener("click", async () => {
  const { blob, name } = current;
  byId("download").disabled = true;
  try {
    const url = URL.createObjectURL(await (await send(blob, "?overlay=1")).blob());
    html("a", { href: url, download: `${name}-emotions.jpg` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  } catch (error) {
    say(error.message, true);
  }
  byId("download").disabled = false;
});

for (const id of ["file", "shot"]) {
  byId(id).addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) classify(file);
    event.target.value = "";
  });
}

const drop = byId("drop");
for (const name of ["dragover", "dragleave", "drop"]) {
  byId("photo").addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") take(event.dataTransfer);
  });
}
addEventListener("paste", (event) => { if (!byId("photo").hidden) take(event.clipboardData); });

function take(data) {
  const file = [...data.files].find((file) => file.type.startsWith("image/")) ?? data.files[0];
  if (file) classify(file); else say("There is no picture in it.", true);
}

new ResizeObserver(paint).observe(byId("result"));

export const photo = { enter: paint, leave() {} };
