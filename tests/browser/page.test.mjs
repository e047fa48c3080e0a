// The page in a real browser before the real program.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { accessible, browser, certificate, close, colours, Device, everyLook, folder, open, PORTRAIT, stopAll } from "./support.mjs";

let chrome, device;
before(async () => {
  chrome = await browser();
  device = await new Device().start();
});
after(async () => {
  await chrome?.close();
  stopAll();
});

const shows = (page, selector, text) => page.locator(selector).filter({ hasText: text }).waitFor();

test("live: picture, emotion, figures, timeline and the small display", async () => {
  const page = await open(chrome, device.origin);
  await shows(page, "#now-name", "Happy");
  await page.locator("#cover").waitFor({ state: "hidden" });
  assert.ok(await colours(page, "#picture") > 100, "the picture is empty");
  await shows(page, "#fact-faces", "1");
  await shows(page, "#fact-fps", /^\d+\.\d$/);
  await shows(page, "#fact-latency", /^\d+ ms$/);
  await page.locator("#oled").waitFor();
  await page.locator("#timeline svg[aria-label*=happy]").waitFor();
  assert.match(await page.locator("#picture").getAttribute("aria-label"), /happy/);
  await everyLook(page, "live");
  await close(page);
});

test("live: the picture moves, and stops being sent when nobody looks", async () => {
  const page = await open(chrome, device.origin);
  const viewers = async () => Number(/^emotiond_live_viewers (\d+)/m.exec(await (await fetch(`${device.origin}/metrics`)).text())[1]);
  await page.locator("#cover").waitFor({ state: "hidden" });
  const picture = () => page.locator("#picture").evaluate((canvas) => canvas.toDataURL("image/jpeg", 0.3));
  const first = await picture();
  await waitFor(async () => await picture() !== first);
  assert.equal(await viewers(), 1);
  await page.getByRole("link", { name: "Photo" }).click();
  await waitFor(async () => await viewers() === 0);
  await page.getByRole("link", { name: "Live" }).click();
  await waitFor(async () => await viewers() === 1);
  await close(page);
});

test("the switch closes the camera, by keyboard too", async () => {
  const page = await open(chrome, device.origin);
  const button = page.getByRole("switch", { name: "Camera" });
  await page.locator("#cover").waitFor({ state: "hidden" });
  await button.focus();
  await page.keyboard.press("Space");
  await shows(page, "#cover-title", "Camera off");
  await waitFor(async () => (await device.state()).enabled === false);
  assert.equal(await button.getAttribute("aria-checked"), "false");
  await shows(page, "#now-name", "No picture");
  await everyLook(page, "off");
  await button.click();
  await page.locator("#cover").waitFor({ state: "hidden" });
  await shows(page, "#now-name", "Happy");
  await close(page);
});

test("photo: chosen, pasted and dropped; downloaded with marks", async () => {
  const page = await open(chrome, `${device.origin}/#photo`);
  await everyLook(page, "photo-empty");
  await page.locator("#file").setInputFiles(PORTRAIT);
  await shows(page, "#photo-faces", "Happy");
  assert.ok(await colours(page, "#photo-picture") > 100, "the picture is empty");
  await everyLook(page, "photo");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download with marks" }).click()]);
  assert.equal(download.suggestedFilename(), "portrait-emotions.jpg");
  assert.deepEqual([...readFileSync(await download.path()).subarray(0, 3)], [0xff, 0xd8, 0xff]);

  const give = (kind) => page.evaluate(async ([kind, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], `${kind}ed.png`, { type: "image/png" }));
    const event = kind === "paste" ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true }) : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
    document.getElementById("drop").dispatchEvent(event);
  }, [kind, readFileSync(PORTRAIT).toString("base64")]);
  for (const kind of ["paste", "drop"]) {
    await page.reload();
    await give(kind);
    await shows(page, "#photo-faces", "Happy");
  }

  const bad = path.join(folder, "bad.jpg");
  writeFileSync(bad, "no picture");
  await page.locator("#file").setInputFiles(bad);
  await page.locator("#photo-status.bad").waitFor();
  await shows(page, "#photo-status", "bad.jpg is no picture that the device or this browser can read.");
  await page.locator("#result").waitFor({ state: "hidden" });
  await everyLook(page, "photo-bad");
  await close(page);
});

test("photos: several at once, one of them no browser shows, and one dropped beside the place", async () => {
  const tiff = path.join(folder, "old.tiff");
  assert.equal(spawnSync("ffmpeg", ["-v", "error", "-y", "-i", PORTRAIT, tiff]).status, 0);
  const [bad, cut] = ["bad.jpg", "cut.png"].map((name) => path.join(folder, name));
  writeFileSync(bad, "no picture");
  writeFileSync(cut, readFileSync(PORTRAIT).subarray(0, 9000));
  const page = await open(chrome, `${device.origin}/#photo`);
  await page.locator("#file").setInputFiles([PORTRAIT, tiff, bad, cut]);
  await page.locator("#photo-list button:not([disabled])").nth(3).waitFor();
  await shows(page, "#photo-status", "portrait.png: 1 face: happy");
  await everyLook(page, "photos");
  await page.getByRole("button", { name: "old.tiff: 1 face" }).click();
  await shows(page, "#photo-status", "old.tiff");
  assert.ok(await colours(page, "#photo-picture") > 100, "the picture is empty");
  await page.getByRole("button", { name: "cut.png: not read" }).click();
  await shows(page, "#photo-status", "cut.png is damaged or only a part of the picture.");
  const beside = (base64) => page.evaluate((base64) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], "a.png", { type: "image/png" }));
    return document.querySelector("footer").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, base64);
  await page.getByRole("link", { name: "Live" }).click();
  assert.equal(await beside(readFileSync(PORTRAIT).toString("base64")), false, "the browser would open it");
  await shows(page, "#photo-faces", "Happy");
  assert.match(page.url(), /#photo$/);
  await close(page);
});

test("windows share one stream, and a link to a view shows the top of the page", async () => {
  const context = await chrome.newContext();
  const viewers = async () => Number(/^emotiond_live_viewers (\d+)/m.exec(await (await fetch(`${device.origin}/metrics`)).text())[1]);
  await waitFor(async () => await viewers() === 0);
  const pages = [];
  for (let count = 0; count < 7; count++) {
    const page = await context.newPage();
    await page.goto(`${device.origin}/#live`);
    await page.locator("#cover").waitFor({ state: "hidden" });
    await shows(page, "#now-name", "Happy");
    pages.push(page);
  }
  assert.equal(await viewers(), 1);
  assert.equal(await pages[0].evaluate(() => scrollY), 0);
  await pages.pop().close();
  const picture = () => pages[0].locator("#picture").evaluate((canvas) => canvas.toDataURL("image/jpeg", 0.3));
  const first = await picture();
  await waitFor(async () => await picture() !== first);
  await context.close();
  await waitFor(async () => await viewers() === 0);
});

test("this browser's camera: results are drawn on the live picture", async () => {
  const page = await open(chrome, `${device.origin}/#webcam`);
  await everyLook(page, "webcam-off");
  await page.getByRole("button", { name: "Start" }).click();
  await shows(page, "#webcam-faces", "Happy");
  await shows(page, "#webcam-rate", /answers a second/);
  assert.ok(await colours(page, "#webcam-picture") > 100, "the picture is empty");
  await everyLook(page, "webcam");
  await page.getByRole("button", { name: "Stop" }).click();
  await shows(page, "#webcam-title2", "The camera is off");
  await close(page);
});

test("this browser's camera: what it needs is explained", async () => {
  const named = await new Device({ "web.allowed_hosts": '["lamp.example"]' }).start();
  const page = await open(chrome, `http://lamp.example:${new URL(named.origin).port}/#webcam`);
  await shows(page, "#webcam-text", "emotiond tls");
  await everyLook(page, "webcam-http");
  await close(page);
  await named.stop();
});

test("over HTTPS, for which browsers offer HTTP/2 first, all works and the camera is lent", async () => {
  const tls = certificate();
  const secure = await new Device({ "web.tls_cert": tls.cert, "web.tls_key": tls.key }).start();
  const page = await open(chrome, `${secure.origin}/#webcam`, { ignoreHTTPSErrors: true });
  await page.getByRole("button", { name: "Start" }).click();
  await shows(page, "#webcam-faces", "Happy");
  await page.getByRole("link", { name: "Live" }).click();
  await shows(page, "#now-name", "Happy");
  await page.locator("#cover").waitFor({ state: "hidden" });
  await close(page);
  await secure.stop();
});

test("a device that goes away and comes back", async () => {
  const other = await new Device().start();
  const page = await open(chrome, other.origin);
  await page.locator("#cover").waitFor({ state: "hidden" });
  await other.stop("SIGKILL");
  await shows(page, "#cover-title", "No connection");
  await shows(page, "#now-name", "No picture");
  assert.equal(await page.locator("#parts .well").count(), 0, "what is not known is not well");
  await everyLook(page, "lost");
  await other.start();
  await page.locator("#cover").waitFor({ state: "hidden" });
  await shows(page, "#now-name", "Happy");
  assert.ok(await page.getByRole("switch").isEnabled());
  await close(page);
  await other.stop();
});

test("no camera and no broker are told plainly", async () => {
  const bare = await new Device({ "camera.source": "/dev/video99", "mqtt.url": "mqtt://127.0.0.1:1", "display.driver": "none" }).start();
  const page = await open(chrome, bare.origin);
  await shows(page, "#cover-title", "No camera");
  await shows(page, "#cover-text", "/dev/video99");
  await shows(page, "#notices", "Broker away");
  assert.ok(await page.locator("#oled-figure").isHidden(), "there is no small display");
  await everyLook(page, "no-camera");
  await close(page);
  await bare.stop();
});

test("the token is asked for once", async () => {
  const file = path.join(folder, "token");
  writeFileSync(file, "correct-horse-battery-staple\n");
  const locked = await new Device({ "web.token_file": file }).start();
  const page = await open(chrome, locked.origin);
  assert.match(page.url(), /\/login$/);
  await page.goto(`${locked.origin}/#photo`);
  assert.match(page.url(), /\/login#photo$/);
  await everyLook(page, "login");
  await page.getByLabel("Token").fill("open-sesame-open-sesame");
  await page.keyboard.press("Enter");
  await page.getByText("not the token").waitFor();
  await accessible(page, "a wrong token");
  await page.getByLabel("Token").fill("correct-horse-battery-staple");
  await page.keyboard.press("Enter");
  await page.locator("#drop").waitFor();
  assert.match(page.url(), /\/#photo$/, "the view is another");
  await page.getByRole("link", { name: "Live" }).click();
  await shows(page, "#now-name", "Happy");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL(/\/login#live$/);
  await page.goto(locked.origin);
  assert.match(page.url(), /\/login$/, "the session goes on");
  await close(page);
  await locked.stop();
});

/** Until it holds; the test's own limit ends the wait. */
async function waitFor(condition) {
  const end = Date.now() + 30_000;
  while (!await condition()) {
    assert.ok(Date.now() < end, `never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
