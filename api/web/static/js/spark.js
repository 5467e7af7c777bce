// The last 24 hours of a station's first quantity as a small line, broken where values are missing.

import { number } from "./format.js";
import { _, now } from "./page.js";
import { columns, load } from "./series.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDE, HIGH, EDGE] = [160, 44, 3];

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function draw(place, period) {
  const { from, to } = period;
  const [times, , , values] = columns(period);
  const real = values.filter((value) => value !== null);
  if (!real.length) {
    place.replaceChildren();
    return;
  }
  const [low, high] = [Math.min(...real), Math.max(...real)];
  const x = (at) => (((at - from) / (to - from)) * WIDE).toFixed(1);
  const y = (value) => (HIGH - EDGE - ((value - low) / (high - low || 1)) * (HIGH - 2 * EDGE)).toFixed(1);
  let path = "";
  let pen = false;
  times.forEach((at, i) => {
    if (values[i] !== null) path += `${pen ? "L" : "M"}${x(at)} ${y(values[i])}`;
    if (values[i] !== null && !pen) path += "h0.01"; // a value alone is a dot
    pen = values[i] !== null;
  });
  const digits = Number(place.dataset.decimals);
  const svg = shape("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img" });
  svg.setAttribute("aria-label", _("Last 24 hours: %(low)s to %(high)s %(unit)s", {
    low: number(low, digits), high: number(high, digits), unit: place.dataset.symbol,
  }));
  svg.append(shape("path", { d: path }));
  const note = document.createElement("span");
  note.textContent = _("24 hours");
  place.replaceChildren(svg, note);
}

/** Draw each small line anew, one after the other. */
export async function drawSparks() {
  for (const place of document.querySelectorAll(".spark")) {
    try {
      draw(place, await load(place.dataset.series, "24h", now()));
    } catch {
      place.replaceChildren(); // what cannot be read now is not drawn
    }
  }
}
