// The real program and a real Chromium.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import assert from "node:assert/strict";

const { EMOTIOND, BROWSER_MODULES, CHROMIUM = "/usr/bin/chromium", SCREENSHOTS } = process.env;
assert.ok(EMOTIOND && BROWSER_MODULES, "run scripts/browser-tests.sh");
const load = createRequire(path.join(BROWSER_MODULES, "package.json"));
const { chromium } = load("playwright-core");
const axe = readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");

const root = path.resolve(import.meta.dirname, "../..");
/** NASA's portrait of Eileen Collins, who smiles. */
export const PORTRAIT = path.join(root, "third_party/portrait.png");
export const folder = mkdtempSync(path.join(tmpdir(), "emotiond-browser-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** A clip in which the portrait comes nearer, at `file` below the folder. */
export function clip(file, codec) {
  const made = path.join(folder, file);
  if (existsSync(made)) return made;
  const zoom = "scale=960:960,crop=960:720:0:0,zoompan=z='1+0.4*on/60':x='(iw-iw/zoom)/2':y='(ih-ih/zoom)/6':d=60:s=640x480:fps=15";
  const done = spawnSync("ffmpeg", ["-v", "error", "-y", "-i", PORTRAIT, "-vf", zoom, "-frames:v", "60", ...codec, made], { stdio: "inherit" });
  assert.equal(done.status, 0, "ffmpeg makes a clip");
  return made;
}

/** A self-signed pair, made once. */
export function certificate() {
  const [cert, key] = ["cert", "key"].map((part) => path.join(folder, `emotiond.${part}.pem`));
  if (!existsSync(cert)) assert.equal(spawnSync(EMOTIOND, ["tls", "--out", folder]).status, 0, "emotiond tls");
  return { cert, key };
}

let number = 0;
const running = new Set();
/** Whatever a failed test left. */
export const stopAll = () => running.forEach((child) => child.kill("SIGKILL"));

/** A daemon; `settings` by key. */
export class Device {
  constructor(settings = {}) {
    this.settings = { "device.id": "hall-lamp", "device.state_dir": path.join(folder, `state-${number++}`), "mqtt.url": "", "display.driver": "preview", "web.listen": "127.0.0.1:0", "camera.source": `replay:${clip("clip.mp4", ["-pix_fmt", "yuv420p"])}`, ...settings };
  }

  async start() {
    const child = spawn(EMOTIOND, ["run", ...Object.entries(this.settings).flatMap(([key, value]) => ["--set", `${key}=${value}`])], { stdio: ["ignore", "ignore", "pipe"] });
    this.child = child;
    running.add(child);
    this.ended = new Promise((resolve) => child.once("exit", resolve)).then(() => running.delete(child));
    let log = "";
    this.origin = await new Promise((resolve, reject) => {
      child.stderr.on("data", (data) => {
        log += data;
        const found = /listening on (https?:\/\/\S+?)\/?\s/.exec(log);
        if (found) resolve(found[1]);
      });
      this.ended.then(() => reject(new Error(`it ended:\n${log}`)));
    });
    this.settings["web.listen"] = new URL(this.origin).host;
    return this;
  }

  async state() {
    return (await fetch(`${this.origin}/api/v1/state`)).json();
  }

  async stop(signal = "SIGTERM") {
    this.child.kill(signal);
    await this.ended;
  }
}

/** One browser for all; its camera shows the portrait. */
export function browser() {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
      `--use-file-for-fake-video-capture=${clip("camera.mjpeg", ["-q:v", "3", "-pix_fmt", "yuvj420p"])}`,
      "--host-resolver-rules=MAP lamp.example 127.0.0.1",
    ],
  });
}

export const SIZES = { phone: { width: 390, height: 844 }, tablet: { width: 820, height: 1180 }, desktop: { width: 1440, height: 900 } };

/** A page that must not complain: what the policy forbids and uncaught errors fail the test. */
export async function open(chrome, url, options = {}) {
  const context = await chrome.newContext({ viewport: SIZES.desktop, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => {
    // Part of some tests: a refused request, of which the page tells by itself, and plain HTTP.
    if (message.type() === "error" && !/Failed to load resource|net::ERR|Cross-Origin-Opener-Policy header has been ignored/.test(message.text())) page.complaints.push(message.text());
  });
  await page.goto(url);
  return page;
}

export async function close(page) {
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

/** No violation of WCAG 2.2 AA or of axe's best practices, and nothing to be scrolled sideways. */
export async function accessible(page, what) {
  // The policy of the page allows no other script: this one comes through the debugger.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  await session.detach();
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => `${node.html} ${node.any.map((check) => check.message).join("; ")}`).join(" | ")}`);
  assert.deepEqual(told, [], what);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${what}: ${over} pixels too wide`);
}

/** The view in every size, light and dark: accessible, and a picture of each where SCREENSHOTS names a folder. */
export async function everyLook(page, name) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      // A frame later all that depends on the size is drawn.
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      await accessible(page, `${name}, ${size}, ${colorScheme}`);
      if (!SCREENSHOTS) continue;
      mkdirSync(SCREENSHOTS, { recursive: true });
      await page.screenshot({ path: path.join(SCREENSHOTS, `${name}-${size}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.setViewportSize(SIZES.desktop);
}

/** Colours in a canvas: an empty one has one. */
export function colours(page, selector) {
  return page.locator(selector).evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4 * 97) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return seen.size;
  });
}
