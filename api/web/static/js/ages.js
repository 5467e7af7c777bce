// Time goes on whether or not anything arrives: ages count up, values turn stale, devices turn silent.

import { age, moment, number } from "./format.js";
import { _, _n, now } from "./page.js";

const TOGETHER_MS = 1500; // as in stations.py

const put = (element, text) => {
  if (element && element.textContent !== text) element.textContent = text;
};

/** Mark the values of each station that were measured together with its first one. */
function compare() {
  for (const tile of document.querySelectorAll(".tile")) {
    const first = Number(tile.querySelector(".main .reading").dataset.at);
    for (const reading of tile.querySelectorAll(".others .reading")) {
      reading.classList.toggle("as-first", Math.abs(Number(reading.dataset.at) - first) <= TOGETHER_MS);
    }
  }
}

/** Show a value as stale or not, by its own time and how long such a value lasts. */
export function weigh(reading, at = now()) {
  const staleAt = Number(reading.dataset.at) + Number(reading.dataset.staleAfter);
  const stale = at > staleAt;
  reading.classList.toggle("stale", stale);
  reading.querySelector(".stale-mark").hidden = !stale;
  if (stale) put(reading.querySelector(".stale-says"), _("stale since %(time)s", { time: moment(staleAt, at) }));
  return stale;
}

function listen(contact, at) {
  const silentAt = Number(contact.dataset.silentAt);
  if (!silentAt) return;
  const silent = at > silentAt;
  contact.classList.toggle("is-silent", silent);
  contact.closest(".tile")?.classList.toggle("silent", silent);
  contact.querySelector(".silent-mark").hidden = !silent;
  if (silent) put(contact.querySelector(".silent-says"), _("silent since %(time)s", { time: moment(silentAt, at) }));
}

/** Put a new time into the place of an age and tell it. */
export function setAge(element, atMs) {
  element.dataset.age = atMs;
  element.dateTime = new Date(atMs).toISOString();
  element.title = moment(atMs, now());
  put(element, age(now() - atMs));
}

function tick() {
  const at = now();
  for (const element of document.querySelectorAll("[data-age]")) put(element, age(at - Number(element.dataset.age)));
  compare();
  let stale = 0;
  for (const reading of document.querySelectorAll(".reading")) stale += weigh(reading, at);
  for (const contact of document.querySelectorAll(".contact")) listen(contact, at);
  const total = document.querySelector(".stale-total");
  if (total) {
    total.hidden = stale === 0;
    put(total.querySelector(".stale-total-says"), _n("%(count)s stale value", "%(count)s stale values", stale, { count: number(stale) }));
  }
}

/** Begin, and go on every second. */
export function keepTime() {
  tick();
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
}
