// What emotions look like: figures, bars, and boxes on a picture.

import { EMOTIONS, LOOKS } from "./emotions.js";

export { EMOTIONS };

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function html(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const title = (name) => ({ none: "No face", uncertain: "Uncertain", off: "No picture" })[name] ?? name[0].toUpperCase() + name.slice(1);
/** An emotion, after the name of who is recognised. */
export const named = (face) => (face.person ? `${face.person}: ${title(face.emotion).toLowerCase()}` : title(face.emotion));
export const percent = (share) => `${Math.round(100 * share)} %`;

/** A drawn face, so that an emotion is told by its shape, too. */
export function figure(emotion) {
  const { brows, eyes, mouth, color } = LOOKS[emotion] ?? LOOKS.none;
  const ink = "#14181f";
  const line = { fill: "none", stroke: ink, "stroke-width": 3.4, "stroke-linecap": "round", "stroke-linejoin": "round" };
  const drawn = svg("svg", { viewBox: "0 0 64 64" });
  if (!mouth) {
    drawn.append(svg("circle", { cx: 32, cy: 32, r: 28, fill: "none", stroke: color, "stroke-width": 3, "stroke-dasharray": "7 7" }));
    return drawn;
  }
  drawn.append(
    svg("circle", { cx: 32, cy: 32, r: 29, fill: color, stroke: ink, "stroke-opacity": 0.25 }),
    svg("path", { d: brows, ...line, "stroke-width": 3 }),
    svg("circle", { cx: 23, cy: 29, r: eyes, fill: ink }),
    svg("circle", { cx: 41, cy: 29, r: eyes, fill: ink }),
    svg("path", { d: mouth, ...line }),
  );
  return drawn;
}

/** Bars that are made once and then set: `set(scores)`. */
export function scoreBars() {
  const list = html("ul", { class: "scores" });
  let rows = new Map();
  const build = (names) => {
    list.replaceChildren();
    rows = new Map(names.map((name) => {
      const bar = html("i"), value = html("b");
      bar.style.setProperty("--c", `var(--${name})`);
      const row = html("li", {}, html("span", {}, title(name)), html("span", { class: "track", "aria-hidden": "true" }, bar), value);
      list.append(row);
      return [name, { bar, value, row }];
    }));
  };
  return {
    element: list,
    set(scores) {
      const known = EMOTIONS.filter((name) => name in scores);
      const names = known.length ? known : EMOTIONS;
      if (names.join() !== [...rows.keys()].join()) build(names);
      const top = known.reduce((best, name) => (best && scores[best] >= scores[name] ? best : name), null);
      for (const [name, { bar, value, row }] of rows) {
        const score = scores[name];
        bar.style.width = `${100 * (score ?? 0)}%`;
        value.textContent = score === undefined ? "–" : percent(score);
        row.classList.toggle("top", name === top);
      }
    },
  };
}

/** One entry of a list of faces. */
export function faceEntry(face, number) {
  const bars = scoreBars();
  bars.set(face.scores);
  const drawn = html("div", { class: "face", "aria-hidden": "true" }, figure(face.emotion));
  const head = html("div", { class: "headline" }, drawn, html("div", {},
    html("p", { class: "name" }, named(face)),
    html("p", { class: "sub" }, `face ${number}, ${percent(face.confidence)} sure`)));
  return html("li", {}, head, bars.element);
}

/** In words, for those who do not see the picture. */
export function describe(faces) {
  if (faces.length === 0) return "no face";
  const names = faces.map((face) => (face.person ? named(face) : title(face.emotion).toLowerCase()));
  return `${faces.length} ${faces.length === 1 ? "face" : "faces"}: ${names.join(", ")}`;
}

/**
 * Draws a picture and its faces on a canvas that fits its box on the page.
 * `source` has the size `width` × `height`, in which the boxes are given, too.
 */
export function draw(canvas, source, width, height, faces, { mirrored = false, most = 2000 } = {}) {
  const box = canvas.parentElement.getBoundingClientRect();
  const room = Math.max(200, box.width);
  const tall = canvas.closest(".stage") ? box.height || room : Math.max(240, innerHeight * 0.72);
  const shown = Math.min(room / width, tall / height);
  const scale = Math.min(shown * (devicePixelRatio || 1), most / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  canvas.style.width = `${width * shown}px`;
  canvas.style.height = `${height * shown}px`;
  const ink = canvas.getContext("2d");
  ink.save();
  if (mirrored) { ink.translate(w, 0); ink.scale(-1, 1); }
  ink.drawImage(source, 0, 0, w, h);
  ink.restore();
  const unit = w / (width * shown);
  for (const face of [...faces].reverse()) drawFace(ink, face, scale, unit, mirrored ? width : null);
}

function drawFace(ink, face, scale, unit, mirrorWidth) {
  const { color } = LOOKS[face.emotion] ?? LOOKS.uncertain;
  const w = face.box.width * scale, h = face.box.height * scale, y = face.box.y * scale;
  const x = (mirrorWidth === null ? face.box.x : mirrorWidth - face.box.x - face.box.width) * scale;
  for (const [width, style] of [[6, "#000a"], [3, color]]) {
    ink.lineWidth = width * unit;
    ink.strokeStyle = style;
    ink.beginPath();
    ink.roundRect(x, y, w, h, 8 * unit);
    ink.stroke();
  }
  const size = Math.max(12, Math.min(20, w / unit / 7)) * unit;
  ink.font = `600 ${size}px system-ui, "DejaVu Sans", sans-serif`;
  ink.textBaseline = "middle";
  const sure = face.emotion === "uncertain" ? "" : ` ${percent(face.confidence)}`;
  const text = `${named(face)}${sure}`;
  const [tw, th] = [ink.measureText(text).width + size * 0.9, size * 1.5];
  const tx = Math.max(0, Math.min(x, ink.canvas.width - tw));
  const ty = y - th - 3 * unit >= 0 ? y - th - 3 * unit : Math.min(y + h + 3 * unit, ink.canvas.height - th);
  ink.fillStyle = color;
  ink.beginPath();
  ink.roundRect(tx, ty, tw, th, 6 * unit);
  ink.fill();
  ink.fillStyle = "#10131a";
  ink.fillText(text, tx + size * 0.45, ty + th / 2);
}
