// The line to the server: what arrives on it, and the plain truth about whether anything can arrive at all.
// It reads the stream of Server-Sent Events by fetch and not by EventSource, which hides the keep-alive comments: a
// connection that died without a word could not be told from one on which nothing happens.

import { moment } from "./format.js";
import { _, now } from "./page.js";

const SILENCE_MS = 40000; // the server says something at least every 15 s
const AGAIN_MS = [1000, 2000, 5000, 10000];

const box = document.getElementById("link");
const says = document.getElementById("link-says");
const listeners = { latest: [], device: [] };
let lostAt = null;
let brokerAwaySince = null;
let heardAt = null;
let lastId = "";
let cut = null;

/** Call `listener` with the data of each event of that name ("latest" or "device"). */
export function on(name, listener) {
  listeners[name].push(listener);
}

function show(state, text) {
  box.dataset.state = state;
  document.body.dataset.link = state;
  if (says.textContent !== text) says.textContent = text;
}

function tell() {
  if (lostAt !== null) {
    show("lost", _("Not live since %(time)s, reconnecting…", { time: moment(lostAt, now()) }));
  } else if (heardAt === null) {
    show("loading", _("Connecting…"));
  } else if (brokerAwaySince !== null) {
    const time = moment(brokerAwaySince, now());
    show("lost", _("Not live since %(time)s: the server has lost the message broker.", { time }));
  } else {
    show("live", _("Live"));
  }
}

function take({ name, data, id }) {
  if (id) lastId = id;
  if (name === "online" || name === "offline") brokerAwaySince = name === "offline" ? Date.parse(data.since) : null;
  for (const listener of listeners[name] ?? []) listener(data);
}

/** One event (HTML standard, 9.2.6), or null for a comment. */
function parse(block) {
  const fields = { event: "message", id: "" };
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = line.match(/^(event|data|id): ?(.*)$/) ?? [];
    if (name === "data") data.push(value);
    else if (name) fields[name] = value;
  }
  return data.length ? { name: fields.event, id: fields.id, data: JSON.parse(data.join("\n")) } : null;
}

/** Read the stream until it ends. Throws when it cannot be had, breaks off, or falls silent. */
async function follow() {
  cut = new AbortController();
  let last = now();
  const watch = setInterval(() => now() - last > SILENCE_MS && cut.abort(), 1000);
  try {
    const headers = lastId ? { "Last-Event-ID": lastId } : {};
    const answer = await fetch("/api/v1/live", { headers, cache: "no-store", signal: cut.signal });
    if (answer.status === 401) location.reload(); // the server leads whoever is signed out to where to sign in
    if (!answer.ok) throw new Error(`${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let pending = ""; ;) {
      const { value, done } = await reader.read();
      if (done) return;
      last = heardAt = now();
      lostAt = null;
      const blocks = (pending + value).split(/\r?\n\r?\n/);
      pending = blocks.pop();
      blocks.map(parse).filter(Boolean).forEach(take);
      tell();
    }
  } finally {
    clearInterval(watch);
  }
}

/** Open the line and keep it open. */
export async function stayLive() {
  tell();
  addEventListener("pagehide", () => cut?.abort());
  for (let failures = 0; ; failures += 1) {
    try {
      await follow();
    } catch {
      // whatever ended it, the page says so and tries again
    }
    if (lostAt === null && heardAt !== null) failures = 0;
    lostAt ??= heardAt ?? now();
    tell();
    await new Promise((go) => setTimeout(go, AGAIN_MS[Math.min(failures, AGAIN_MS.length - 1)]));
  }
}
