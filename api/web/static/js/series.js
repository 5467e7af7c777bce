// The values of one series over a period: how finely they are asked for, and where their line must break.

import { number } from "./format.js";
import { _ } from "./page.js";

const MINUTE = 60000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What the API can give, from fine to coarse, and how long each bucket is; raw values have their own interval. */
const STEPS = [["raw", 0], ["1m", MINUTE], ["10m", 10 * MINUTE], ["1h", HOUR], ["1d", DAY]];

/** Each period: its length, and the step it begins with. */
export const RANGES = {
  "1h": { length: HOUR, step: "raw" },
  "6h": { length: 6 * HOUR, step: "1m" },
  "24h": { length: DAY, step: "10m" },
  "7d": { length: 7 * DAY, step: "1h" },
  "30d": { length: 30 * DAY, step: "1h" },
  "60d": { length: 60 * DAY, step: "1d" },
};

const PAGE = 2000;
const LEAST_BUCKETS = 6;
const LONELY = 0.3;
const SLACK = 1.5;

/** The milliseconds of a step's bucket, 0 for raw values. */
export const width = (step) => STEPS.find(([name]) => name === step)[1];

/** The step to begin with: the period's own, or a coarser one for an instrument that measures more rarely. */
export function firstStep(range, intervalMs) {
  const own = RANGES[range].step;
  if (own === "raw" || intervalMs <= width(own)) return own;
  return STEPS.find(([, ms]) => ms >= Math.min(intervalMs, HOUR) && ms >= width(own))[0];
}

/** The next coarser step that still gives the period a handful of buckets, or null. */
export function coarser(range, step) {
  const next = STEPS[STEPS.findIndex(([name]) => name === step) + 1];
  return next && RANGES[range].length / next[1] >= LEAST_BUCKETS ? next[0] : null;
}

/** How far apart neighbours may be: one and a half times what is expected of them. */
export function reach(times, step, intervalMs) {
  if (step !== "raw") return SLACK * width(step);
  if (intervalMs) return SLACK * intervalMs;
  const apart = times.slice(1).map((at, i) => at - times[i]).sort((a, b) => a - b);
  return apart.length ? SLACK * apart[Math.floor(apart.length / 2)] : Infinity;
}

/** The share of values with a gap on both sides: where it is large, the step is finer than the values. */
export function lonely(times, limit) {
  if (times.length < 2) return times.length;
  const alone = times.filter((at, i) => !(at - times[i - 1] <= limit) && !(times[i + 1] - at <= limit));
  return alone.length / times.length;
}

/** Columns for the chart, with an empty row in each gap so that no line crosses it. */
export function columns({ items, step, intervalMs }, kind = "") {
  const points = items.map((item) => point(item, step, kind));
  const limit = reach(points.map((one) => one.at), step, intervalMs);
  const rows = [];
  points.forEach((one, i) => {
    const before = points[i - 1];
    if (before && one.at - before.at > limit) rows.push({ at: (before.at + one.at) / 2 });
    rows.push(one);
  });
  const column = (name) => rows.map((row) => row[name] ?? null);
  return [column("at"), column("low"), column("high"), column("mean"), column("suspect"), column("failed")];
}

function point(item, step, kind) {
  if (step === "raw") {
    const at = Date.parse(item.at);
    if (item.quality === 4) return { at, failed: item.value };
    return { at, mean: item.value, suspect: item.quality === 3 ? item.value : null };
  }
  const at = Date.parse(item.start) + width(step) / 2;
  if (kind === "total") return { at, mean: item.count ? item.sum : null };
  if (kind === "circular") return { at, mean: item.mean };
  return { at, low: item.min, high: item.max, mean: item.mean };
}

/** How much of what was expected of a bucket came, as a share of 1; of the present one, what was expected so far. */
export function share(item, step, to) {
  if (!item.expected) return null;
  const elapsed = Math.min(1, (to - Date.parse(item.start)) / width(step));
  return Math.min(1, item.count / Math.max(1, Math.floor(item.expected * elapsed)));
}

/** How much of what was expected of a whole period came; null where the instrument never said what to expect. */
export function completeness({ items, step, from, to, intervalMs, firstMs }) {
  const length = to - Math.max(from, firstMs);
  if (step === "raw") {
    return intervalMs ? Math.min(1, items.length / Math.max(1, Math.floor(length / intervalMs) - 1)) : null;
  }
  const told = items.filter((item) => item.expected);
  if (!told.length) return null;
  const empty = Math.max(0, Math.floor(length / width(step)) - items.length);
  return told.reduce((sum, item) => sum + share(item, step, to), 0) / (told.length + empty);
}

/** What one step of a time holds, page after page to the end. Throws when the server does not answer. */
async function read(series, from, to, step) {
  const iso = (at) => encodeURIComponent(new Date(at).toISOString());
  let next = `/api/v1/readings?series=${series}&from=${iso(from)}&to=${iso(to)}&interval=${step}&limit=${PAGE}`;
  const items = [];
  let head = null;
  while (next) {
    const answer = await fetch(next);
    if (!answer.ok) throw new Error(`${answer.status}`);
    const page = await answer.json();
    items.push(...page.items);
    head = page.series;
    next = page.next;
  }
  return { items, intervalMs: (head.interval_s ?? 0) * 1000, firstMs: Date.parse(head.first) };
}

/**
 * The period's values at the finest step that they fill.
 *
 * `intervalMs` is what is known of the instrument beforehand, 0 for nothing. Gives {items, step, from, to, intervalMs,
 * firstMs}, the last two as the server knows them now: an instrument may change its pace.
 */
export async function load(series, range, to, intervalMs = 0) {
  const from = to - RANGES[range].length;
  let step = firstStep(range, intervalMs);
  for (;;) {
    const found = await read(series, from - width(step), to, step); // the bucket that reaches in counts too
    const times = found.items.map((item) => Date.parse(item.at ?? item.start));
    const next = coarser(range, step);
    if (!next || lonely(times, reach(times, step, found.intervalMs)) <= LONELY) return { ...found, step, from, to };
    step = next;
  }
}

/** What a step is called under a chart. */
export function stepName(step) {
  return {
    "raw": _("single values"), "1m": _("means per minute"), "10m": _("means per 10 minutes"),
    "1h": _("means per hour"), "1d": _("means per day"),
  }[step];
}

/** The lowest and highest value shown, as text, or null where there is none. */
export function extent(items, decimals) {
  const lows = items.map((item) => item.min ?? item.value).filter(Number.isFinite);
  const highs = items.map((item) => item.max ?? item.value).filter(Number.isFinite);
  if (!lows.length) return null;
  return { low: number(Math.min(...lows), decimals), high: number(Math.max(...highs), decimals) };
}
