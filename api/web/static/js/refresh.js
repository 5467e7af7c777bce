// What only the server can draw is fetched again, and the parts that changed are put in place.

import { setNow } from "./page.js";

const parts = (root) => [...root.querySelectorAll("[data-key]")];
const keys = (root) => parts(root).map((part) => part.dataset.key).join("\n");
const stops = (root) => [...root.querySelectorAll("a, button, summary, [tabindex]")];

function swap(old, fresh) {
  const position = stops(old).indexOf(document.activeElement);
  old.replaceWith(fresh);
  if (position >= 0) stops(fresh)[position]?.focus({ preventScroll: true });
}

/** An age that is only told otherwise than here is no difference. */
function keepAges(old, fresh) {
  for (const age of fresh.querySelectorAll("[data-age]")) {
    const same = old.querySelector(`[data-age="${age.dataset.age}"]`);
    if (same) age.textContent = same.textContent;
  }
}

function adopt(fresh) {
  const old = document.getElementById("main");
  if (keys(old) !== keys(fresh)) {
    const [place, whole] = [old.querySelector("#live"), fresh.querySelector("#live")];
    if (place && whole) swap(place, whole);
    else location.reload();
    return;
  }
  for (const part of parts(fresh)) {
    const present = old.querySelector(`[data-key="${CSS.escape(part.dataset.key)}"]`);
    keepAges(present, part);
    if (!present.isEqualNode(part)) swap(present, part);
  }
}

/** Fetch this page again and adopt what is new; false when the server could not give it. */
export async function refresh() {
  let answer;
  try {
    answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
  } catch {
    return false;
  }
  if (answer.type === "opaqueredirect") location.reload();
  if (!answer.ok) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  setNow(JSON.parse(fresh.getElementById("page").textContent).now);
  adopt(fresh.getElementById("main"));
  return true;
}

/** A function that refreshes soon, but never more often than each `everyMs`. */
export function throttledRefresh(everyMs, after = () => {}) {
  let last = 0;
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    const wait = Math.max(200, last + everyMs - Date.now());
    setTimeout(async () => {
      waiting = false;
      last = Date.now();
      if (await refresh()) after();
    }, wait);
  };
}
