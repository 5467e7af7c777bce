// A station's page: its charts over a period that the reader chooses, kept up to date while values come.

import { keepTime } from "./ages.js";
import { Chart } from "./chart.js";
import { percent } from "./format.js";
import { on, stayLive } from "./live.js";
import { _, now } from "./page.js";
import { throttledRefresh } from "./refresh.js";
import { completeness, extent, load, stepName } from "./series.js";
import { fillTable } from "./table.js";
import { putContact, putValues } from "./values.js";

const FAST_MS = 10000;
const SLOW_MS = 60000;
const FAST = new Set(["raw", "1m"]);

const ranges = document.querySelector(".ranges");
let range = ranges.querySelector('[aria-pressed="true"]').dataset.range;

class Panel {
  constructor(section) {
    this.section = section;
    this.place = section.querySelector(".plot");
    this.caption = section.querySelector(".caption");
    this.numbers = section.querySelector(".numbers");
    this.chart = new Chart(this.place);
    this.visible = false;
    this.fetchedAt = -Infinity;
    this.turn = 0;
    this.numbers.addEventListener("toggle", () => this.fill());
    new IntersectionObserver(([seen]) => {
      this.visible = seen.isIntersecting;
      this.keepFresh();
    }, { rootMargin: "200px" }).observe(section);
  }

  /** Fetch again when that is due; a chart nobody sees waits. */
  keepFresh() {
    const every = FAST.has(this.period?.step) ? FAST_MS : SLOW_MS;
    if (this.visible && Date.now() - this.fetchedAt >= every) this.draw();
  }

  async draw() {
    this.fetchedAt = Date.now();
    const turn = (this.turn += 1);
    try {
      const period = await load(this.place.dataset.series, range, now(), this.period?.intervalMs);
      if (turn !== this.turn) return; // the reader has chosen another period meanwhile
      this.period = period;
    } catch {
      this.caption.textContent = _("These values cannot be read at the moment; trying again.");
      this.section.classList.add("unread");
      return;
    }
    this.section.classList.remove("unread");
    this.chart.show(this.period);
    this.describe();
    this.fill();
    this.section.dataset.step = this.period.step;
  }

  describe() {
    const { items, step } = this.period;
    const { title, symbol, decimals, kind } = this.place.dataset;
    const ends = extent(items, Number(decimals));
    if (!ends) {
      this.caption.textContent = _("No value in this period.");
    } else {
      const share = completeness(this.period);
      const said = [stepName(step)];
      if (kind !== "circular") said.push(_("lowest %(low)s, highest %(high)s %(unit)s", { ...ends, unit: symbol }));
      if (share !== null) said.push(_("%(share)s complete", { share: percent(share) }));
      this.caption.textContent = said.join(" · ");
    }
    this.place.setAttribute("role", "img");
    this.place.setAttribute("aria-label", `${title}: ${this.caption.textContent}`);
  }

  fill() {
    if (this.numbers.open && this.period) fillTable(this.numbers.querySelector("table"), this.period, this.place.dataset);
  }
}

const panels = [...document.querySelectorAll(".chart")].map((section) => new Panel(section));
const refreshSoon = throttledRefresh(5000);

ranges.addEventListener("click", (event) => {
  const chosen = event.target.closest("button")?.dataset.range;
  if (!chosen || chosen === range) return;
  range = chosen;
  for (const button of ranges.querySelectorAll("button")) button.setAttribute("aria-pressed", button.dataset.range === range);
  history.replaceState(null, "", `?range=${range}`);
  for (const panel of panels) {
    panel.fetchedAt = -Infinity;
    panel.keepFresh();
  }
});

on("latest", putValues);
on("device", putContact);
keepTime();
stayLive();
setInterval(() => panels.forEach((panel) => panel.keepFresh()), 1000);
setInterval(refreshSoon, SLOW_MS);
