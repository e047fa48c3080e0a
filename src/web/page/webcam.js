// This browser's camera: frame by frame to the device, at the rate at which answers come.

import { call } from "./app.js";
import { describe, draw, faceEntry, html } from "./faces.js";

const byId = (id) => document.getElementById(id);
const WIDTH = 640;

let media = null, facing = "user", faces = [], size = null, listed = 0;

const REASONS = {
  NotAllowedError: ["The browser may not use the camera", "Allow it for this page beside the address, then start again."],
  NotFoundError: ["This browser has no camera", "Plug one in, then start again."],
  NotReadableError: ["The camera is in use", "Close the other program that uses it, then start again."],
};

const TROUBLE = {
  0: "The device does not answer. Trying again.",
  503: "The device is busy with other pictures. Trying again.",
};

function cover(text) {
  byId("webcam-cover").hidden = !text;
  if (!text) return;
  byId("webcam-title2").textContent = text[0];
  byId("webcam-text").replaceChildren(...[text[1]].flat());
}

function say(text) {
  if (byId("webcam-status").textContent !== text) byId("webcam-status").textContent = text;
}

/** Browsers lend a camera to pages that nobody can have changed on the way only. */
function needsHttps() {
  return ["This page needs HTTPS for that", [
    "Browsers lend a camera only to pages over HTTPS or from localhost. On the device run ",
    html("code", {}, "emotiond tls"), ", put the two lines that it prints into the configuration, restart, and open ",
    html("code", {}, `https://${location.host}/`), ".",
  ]];
}

async function start() {
  if (!navigator.mediaDevices?.getUserMedia) return cover(needsHttps());
  byId("webcam-start").disabled = true;
  try {
    media = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: facing }, audio: false });
  } catch (error) {
    cover(REASONS[error.name] ?? ["The camera did not start", error.message]);
    return;
  } finally {
    byId("webcam-start").disabled = false;
  }
  const own = media;
  const video = byId("webcam-video");
  video.srcObject = own;
  await video.play().catch(() => {});
  own.getVideoTracks()[0].addEventListener("ended", () => { if (media === own) { stop(); cover(["The camera was unplugged", "Plug it in, then start again."]); } });
  byId("webcam-start").hidden = true;
  byId("webcam-stop").hidden = false;
  const devices = await navigator.mediaDevices.enumerateDevices();
  byId("webcam-turn").hidden = devices.filter((device) => device.kind === "videoinput").length < 2;
  cover(null);
  paint(own);
  ask(own);
}

function stop() {
  media?.getTracks().forEach((track) => track.stop());
  media = null;
  faces = [];
  byId("webcam-video").srcObject = null;
  byId("webcam-start").hidden = false;
  byId("webcam-stop").hidden = byId("webcam-turn").hidden = true;
  byId("webcam-rate").textContent = "";
  byId("webcam-faces").replaceChildren(html("li", { class: "hint" }, "None yet"));
  cover(["The camera is off", "Your browser will ask whether this page may use it."]);
}

/** The picture runs at the camera's rate, whatever the answers do. */
function paint(own) {
  if (media !== own) return;
  const video = byId("webcam-video");
  if (video.videoWidth) {
    const [width, height] = size ?? [video.videoWidth, video.videoHeight];
    draw(byId("webcam-picture"), video, width, height, faces, { mirrored: facing === "user" });
  }
  requestAnimationFrame(() => paint(own));
}

async function ask(own) {
  const video = byId("webcam-video"), canvas = html("canvas");
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  let times = [];
  while (media === own) {
    if (!video.videoWidth) { await pause(50); continue; }
    const scale = Math.min(1, WIDTH / video.videoWidth);
    [canvas.width, canvas.height] = [Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)];
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
    const asked = performance.now();
    try {
      const answer = await call("/api/v1/classify", { method: "POST", headers: { "Content-Type": "image/jpeg" }, body: jpeg });
      const picture = await answer.json();
      if (media !== own) return;
      faces = picture.faces;
      size = [picture.width, picture.height];
      times = [...times, performance.now()].slice(-10);
      const span = times.at(-1) - times[0];
      const rate = span > 0 ? `${((1000 * (times.length - 1)) / span).toFixed(1)} answers a second, ` : "";
      byId("webcam-rate").textContent = `${rate}${Math.round(performance.now() - asked)} ms each`;
      list();
    } catch (error) {
      if (media !== own) return;
      byId("webcam-rate").textContent = TROUBLE[error.status] ?? "The device could not look at the picture. Trying again.";
      await pause(error.status === 503 ? 1000 * error.after : 2000);
    }
  }
}

function list() {
  if (performance.now() - listed < 250) return;
  listed = performance.now();
  const entries = faces.map((face, index) => faceEntry(face, index + 1));
  byId("webcam-faces").replaceChildren(...(entries.length ? entries : [html("li", { class: "hint" }, "None in the picture")]));
  byId("webcam-picture").setAttribute("aria-label", `This browser’s camera: ${describe(faces)}`);
  say(describe(faces));
}

byId("webcam-start").addEventListener("click", start);
byId("webcam-stop").addEventListener("click", stop);
byId("webcam-turn").addEventListener("click", () => {
  facing = facing === "user" ? "environment" : "user";
  stop();
  start();
});

export const webcam = {
  enter() { if (!navigator.mediaDevices?.getUserMedia) cover(needsHttps()); },
  leave() { if (media) stop(); },
  pause() { if (media) stop(); },
};
