// What the device says: its states and its live pictures, for as many windows as there are by one connection each.
//
// A browser opens six connections to a host, so all windows share those of a worker; where there are no such workers,
// a window has its own. Told are messages: { state }, { lost }, { picture, sequence }, { refused } and { login }.

const SILENCE_MS = 5000;
const AGAIN_MS = 2000;
const PING_MS = 5000;

/** The connections; `tell` is handed the messages. */
export class Feed {
  #tell;
  #wants = { states: false, pictures: false };
  #source = null;
  #heard = 0;
  #again = null;
  #stream = null;

  constructor(tell) {
    this.#tell = tell;
    setInterval(() => {
      if (this.#source && performance.now() - this.#heard > SILENCE_MS) { this.#tell({ lost: true }); this.#open(); }
    }, 1000);
  }

  /** What is looked at now: { states, pictures }. */
  want(wants) {
    const before = this.#wants;
    this.#wants = wants;
    if (wants.states && !before.states) this.#open();
    if (!wants.states && before.states) this.#close();
    if (wants.pictures && !before.pictures) this.#watch();
    if (!wants.pictures && before.pictures) this.#stream?.abort();
  }

  // ---- states, opened again whenever they end or fall silent

  #open() {
    this.#close();
    this.#heard = performance.now();
    const source = this.#source = new EventSource("/api/v1/events");
    source.addEventListener("state", (message) => {
      this.#heard = performance.now();
      this.#tell({ state: JSON.parse(message.data) });
    });
    source.onerror = () => {
      this.#tell({ lost: true });
      // A stream that was refused is not opened again by the browser.
      if (source.readyState === EventSource.CLOSED && this.#source === source) this.#retry();
    };
  }

  #close() {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#again);
  }

  #retry() {
    this.#close();
    this.#again = setTimeout(async () => {
      const answer = await fetch("/api/v1/state").catch(() => null);
      if (answer?.status === 401) this.#tell({ login: true });
      if (answer?.ok) this.#open(); else this.#retry();
    }, AGAIN_MS);
  }

  // ---- pictures

  async #watch() {
    const stop = this.#stream = new AbortController();
    try {
      const answer = await fetch("/api/v1/stream.mjpg", { signal: stop.signal });
      if (answer.ok) {
        this.#tell({ refused: "" });
        await this.#read(answer.body.getReader());
      } else if (answer.status === 503) {
        this.#tell({ refused: (await answer.json()).detail });
      }
    } catch { /* the states tell that the device is away */ }
    setTimeout(() => { if (this.#wants.pictures && this.#stream === stop) this.#watch(); }, AGAIN_MS);
  }

  /** Of the parts that have come whole only the newest is told. */
  async #read(reader) {
    let buffer = new Uint8Array(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const joined = new Uint8Array(buffer.length + value.length);
      joined.set(buffer);
      joined.set(value, buffer.length);
      const { newest, rest } = split(joined);
      buffer = rest;
      if (newest) this.#tell(newest);
    }
  }
}

const decoder = new TextDecoder("latin1");

/** The newest whole part of the multipart stream, and what is left. */
function split(bytes) {
  let newest = null, at = 0;
  for (;;) {
    const end = headEnd(bytes, at);
    if (end < 0) break;
    const head = decoder.decode(bytes.subarray(at, end));
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1]);
    if (end + length > bytes.length) break;
    newest = { picture: [end, end + length], sequence: Number(/x-sequence: *(\d+)/i.exec(head)?.[1]) };
    at = end + length;
  }
  if (newest) newest.picture = new Blob([bytes.slice(...newest.picture)], { type: "image/jpeg" });
  return { newest, rest: bytes.slice(at) };
}

/** After the empty line that ends a part's head. */
function headEnd(bytes, at) {
  for (let i = at; i + 3 < bytes.length && i < at + 2000; i++) {
    if (bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) return i + 4;
  }
  return -1;
}

/** The shared worker's feed, or one's own: an object with `want`. */
export function connect(tell) {
  if (typeof SharedWorker === "undefined") return new Feed(tell);
  let wants = { states: false, pictures: false };
  const { port } = new SharedWorker("/assets/worker.js", { type: "module" });
  port.onmessage = (message) => tell(message.data);
  port.start();
  // A window that crashed says nothing any more.
  setInterval(() => { if (wants.states) port.postMessage(wants); }, PING_MS);
  return {
    want(wanted) {
      wants = wanted;
      port.postMessage(wants);
    },
  };
}

export const GONE_MS = 4 * PING_MS;
