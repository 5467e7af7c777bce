// The numbers of a chart as a table, to be read by ear, copied, or checked.

import { moment, number, percent, preciseClock } from "./format.js";
import { _, now } from "./page.js";

function row(cells, kind) {
  const line = document.createElement("tr");
  cells.forEach((text, i) => {
    const cell = document.createElement(kind);
    cell.textContent = text;
    if (kind === "th") cell.scope = "col";
    if (i > 0) cell.className = "num";
    line.append(cell);
  });
  return line;
}

const quality = (flag) => ({ 1: _("passed"), 2: _("not checked"), 3: _("suspect"), 4: _("implausible") })[flag] ?? "–";

/** Fill `table` with the items of a period, the newest first. */
export function fillTable(table, { items, step }, { decimals, symbol, kind }) {
  const digits = Number(decimals);
  const figure = (value) => (Number.isFinite(value) ? number(value, digits) : "–");
  const raw = step === "raw";
  const total = kind === "total";
  const heads = raw
    ? [_("Time"), `${_("Value")} (${symbol})`, _("Quality")]
    : [_("From"), `${total ? _("Sum") : _("Mean")} (${symbol})`, _("Lowest"), _("Highest"), _("Values"), _("Complete")];
  const cells = (item) => (raw
    ? [moment(Date.parse(item.at), now(), preciseClock), figure(item.value), quality(item.quality)]
    : [moment(Date.parse(item.start), now()), figure(total ? item.sum : item.mean), figure(item.min), figure(item.max),
      item.failed ? `${item.count} + ${item.failed} ${_("implausible")}` : `${item.count}`,
      item.completeness === null ? "–" : percent(item.completeness)]);
  const head = document.createElement("thead");
  head.append(row(heads, "th"));
  const body = document.createElement("tbody");
  body.append(...items.toReversed().map((item) => row(cells(item), "td")));
  table.replaceChildren(head, body);
}
