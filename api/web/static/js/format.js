// How numbers and times are written; the twin of `Speech` in api/web/i18n.py, and tested against it.

import { _, page } from "./page.js";

const JUST_NOW_MS = 5000;

const parts = new Intl.DateTimeFormat("en-GB", {
  timeZone: page.zone, hourCycle: "h23",
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
});
const precise = new Intl.DateTimeFormat("en-GB", {
  timeZone: page.zone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const shortDate = new Intl.DateTimeFormat(page.locale, { timeZone: page.zone, day: "numeric", month: "short" });
const longDate = new Intl.DateTimeFormat(page.locale, {
  timeZone: page.zone, day: "numeric", month: "short", year: "numeric",
});
const numbers = new Map();

/** A value with as many decimals as carry meaning. */
export function number(value, decimals = 0) {
  if (!numbers.has(decimals)) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    numbers.set(decimals, new Intl.NumberFormat(page.locale, { ...digits, roundingMode: "halfEven" }));
  }
  const text = numbers.get(decimals).format(value);
  return /[1-9]/.test(text) ? text : text.replace(/^[-−]/, "");
}

/** A share of 1, rounded down, so that only what is complete is called 100 %. */
export function percent(share) {
  return `${number(Math.floor(share * 100 + 1e-9))}%`;
}

function local(at) {
  return Object.fromEntries(parts.formatToParts(at).map((part) => [part.type, part.value]));
}

/** The time of day with a colon in every language. */
export function clock(at) {
  const { hour, minute } = local(at);
  return `${hour}:${minute}`;
}

/** The time of day to the second, for values that come more often than once a minute. */
export function preciseClock(at) {
  return precise.format(at);
}

/** The date, without its year when that is this year. */
export function date(at, now) {
  return (local(at).year === local(now).year ? shortDate : longDate).format(at);
}

/** The time of day as `tell` tells it, with its date when that is not today. */
export function moment(at, now, tell = clock) {
  const [a, b] = [local(at), local(now)];
  const today = a.year === b.year && a.month === b.month && a.day === b.day;
  return today ? tell(at) : `${date(at, now)} ${tell(at)}`;
}

/** How long ago, in the largest unit that fits, rounded down. */
export function age(elapsed) {
  if (elapsed < JUST_NOW_MS) return _("just now");
  const of = (size) => ({ count: number(Math.floor(elapsed / size)) });
  if (elapsed < 60000) return _("%(count)s s ago", of(1000));
  if (elapsed < 3600000) return _("%(count)s min ago", of(60000));
  if (elapsed < 86400000) return _("%(count)s h ago", of(3600000));
  return _("%(count)s d ago", of(86400000));
}
