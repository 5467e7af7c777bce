// What the server said of this page: language, zone, messages, the time, and where things are.

export const page = JSON.parse(document.getElementById("page").textContent);

let ahead = page.now - Date.now();

/** The server's time in milliseconds, as well as this browser knows it. */
export function now() {
  return Date.now() + ahead;
}

/** The server said its time just now. */
export function setNow(serverMs) {
  ahead = serverMs - Date.now();
}

/** `message` in the page's language; `%(name)s` is filled in from `values`. */
export function _(message, values = {}) {
  return fill(page.messages[message] ?? message, values);
}

/** `one` or `many` in the page's language, as `count` asks for. */
export function _n(one, many, count, values) {
  return fill(page.messages[one] ?? (count === 1 ? one : many), values);
}

function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (_all, name) => values[name]);
}
