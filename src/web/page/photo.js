// The photo view: pictures in, their faces out.

import { call } from "./app.js";
import { describe, draw, faceEntry, html, svg } from "./faces.js";

const byId = (id) => document.getElementById(id);

// What is larger is scaled down here: the device would take longer, and may refuse it.
const LARGE_BYTES = 12 * 1024 * 1024;
const SIDE = 2400;
const THUMBNAIL = 112;
/** How often a device that is busy is asked again. */
const TRIES = 30;

/** What was given, in its order: { file, name, blob, image, picture, note, bad }; `image` once it was looked at. */
let photos = [];
let current = null, working = false;

function say(text, bad = false) {
  byId("photo-status").textContent = text;
  byId("photo-status").classList.toggle("bad", bad);
}

/** What went wrong with a photo and what to do, by the answer's status. */
function told(name, status) {
  const READABLE = "Save it as JPEG or PNG and try again.";
  switch (status) {
    case 0: return `${name} could not be sent: the device does not answer. Try again once it is back.`;
    case 400: case 415: return `${name} is no picture that the device or this browser can read. ${READABLE}`;
    case 408: return `${name} took too long to send. Try again where the network is better, or send a smaller copy.`;
    case 413: return `${name} is too large for this device, and this browser could not make it smaller. Send a smaller copy.`;
    case 422: return `${name} is damaged or only a part of the picture. Copy it again from where it comes.`;
    case 503: return `The device is too busy for ${name}. Try again in a minute.`;
    default: return `The device could not look at ${name}. Its log says why.`;
  }
}

/** The picture as a JPEG of at most SIDE pixels a side, upright. */
async function reduced(file) {
  const image = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const canvas = html("canvas", { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}

/** Asks again while too many photos wait at the device. */
async function send(blob, query = "") {
  for (let tries = 1; ; tries++) {
    try {
      return await call(`/api/v1/classify${query}`, { method: "POST", headers: { "Content-Type": blob.type || "application/octet-stream" }, body: blob });
    } catch (error) {
      if (error.status !== 503 || tries === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * error.after));
    }
  }
}

async function classify(photo) {
  const { file, name } = photo;
  try {
    let blob = file.size > LARGE_BYTES ? await reduced(file).catch(() => file) : file;
    photo.note = blob === file ? "" : " It was scaled down first.";
    let answer;
    try {
      answer = await send(blob);
    } catch (error) {
      // Too large for the device, or a format that only this browser knows.
      if (blob !== file || ![413, 415].includes(error.status)) throw error;
      blob = await reduced(file).catch(() => { throw error; });
      photo.note = error.status === 413 ? " It was scaled down first." : " It was converted first.";
      answer = await send(blob);
    }
    photo.picture = await answer.json();
    // TIFF, for one, is shown by the device only.
    photo.image = await createImageBitmap(blob).catch(async () => createImageBitmap(await (await send(blob, "?picture=1")).blob()));
    photo.blob = blob;
  } catch (error) {
    photo.bad = told(name, error.status);
  }
}

/** Looks at all that wait, one after the other. */
async function work() {
  if (working) return;
  working = true;
  for (let photo; (photo = photos.find(({ picture, bad }) => !picture && !bad)); ) {
    const number = photos.indexOf(photo) + 1;
    say(photos.length > 1 ? `Looking for faces … ${number} of ${photos.length}` : "Looking for faces …");
    await classify(photo);
    // Others may have been chosen meanwhile.
    if (!photos.includes(photo)) continue;
    list();
    if (!current) select(photo);
  }
  working = false;
  if (current) select(current); else say("");
}

/** Takes files, those of before go. */
function take(files) {
  photos = files.map((file) => ({ file, name: file.name || "The photo" }));
  current = null;
  byId("result").hidden = true;
  list();
  if (photos.length) work(); else say("There is no picture in it.", true);
}

function select(photo) {
  current = photo;
  byId("result").hidden = !photo.image;
  for (const button of byId("photo-list").querySelectorAll("button")) {
    if (photos[Number(button.dataset.index)] === photo) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
  }
  if (!photo.image) return say(photo.bad, true);
  const { faces, faces_left_out: more } = photo.picture;
  const words = describe(faces);
  const which = photos.length > 1 ? `${photo.name}: ${words}` : `${words[0].toUpperCase()}${words.slice(1)}`;
  say(`${which}.${more ? ` ${more} more are not listed.` : ""}${photo.note}`);
  paint();
  const entries = faces.map((face, index) => faceEntry(face, index + 1));
  byId("photo-faces").replaceChildren(...(entries.length ? entries : [html("li", { class: "hint" }, "None was found. A face should be at least 24 pixels wide and look this way.")]));
  byId("photo-faces-title").textContent = faces.length > 1 ? `${faces.length} faces` : "Faces";
}

/** A small picture for each, where there are several. */
function list() {
  byId("photo-list").hidden = photos.length < 2;
  byId("photo-list").replaceChildren(...photos.map((photo, index) => {
    const { image, picture, bad, name } = photo;
    const count = bad ? "!" : picture ? picture.faces.length : "…";
    const words = bad ? "not read" : picture ? `${count} ${count === 1 ? "face" : "faces"}` : "waiting";
    const button = html("button", { type: "button", "data-index": index, title: name, "aria-label": `${name}: ${words}` }, thumbnail(image), html("span", { class: bad ? "bad" : "" }, String(count)));
    if (photo === current) button.setAttribute("aria-current", "true");
    button.disabled = !picture && !bad;
    button.addEventListener("click", () => select(photo));
    return html("li", {}, button);
  }));
}

function thumbnail(image) {
  if (!image) return svg("svg", { class: "figure", viewBox: "0 0 64 64", "aria-hidden": "true" }, svg("path", { d: "M8 12h48v40H8zM8 46l15-13 11 10 9-8 13 11" }));
  const canvas = html("canvas", { width: THUMBNAIL, height: THUMBNAIL, "aria-hidden": "true" });
  const side = Math.min(image.width, image.height);
  canvas.getContext("2d").drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, THUMBNAIL, THUMBNAIL);
  return canvas;
}

function paint() {
  if (!current?.image || byId("photo-view").hidden) return;
  const { image, picture } = current;
  draw(byId("photo-picture"), image, picture.width, picture.height, picture.faces);
  byId("photo-picture").setAttribute("aria-label", `The photo: ${describe(picture.faces)}`);
}

byId("download").addEventListener("click", async () => {
  const { blob, name } = current;
  byId("download").disabled = true;
  try {
    const url = URL.createObjectURL(await (await send(blob, "?overlay=1")).blob());
    html("a", { href: url, download: `${name.replace(/\.[^.]*$/, "")}-emotions.jpg` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  } catch (error) {
    say(told(name, error.status), true);
  }
  byId("download").disabled = false;
});

for (const id of ["file", "shot"]) {
  byId(id).addEventListener("change", (event) => {
    if (event.target.files.length) take([...event.target.files]);
    event.target.value = "";
  });
}

// Where it is dropped does not matter (app.js), but the place for it shows that it may be.
for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, () => byId("drop").classList.toggle("over", name === "dragover"));
}
addEventListener("paste", (event) => {
  if (byId("photo-view").hidden) return;
  take([...event.clipboardData.files]);
});

new ResizeObserver(paint).observe(byId("result"));

export const photo = { enter: paint, leave() {}, take };
