// One chart: a line that breaks at gaps, a band from lowest to highest, doubts as marks, and a strip of what came.

import { clock, date, moment, number, preciseClock } from "./format.js";
import { _, now, page } from "./page.js";
import { columns, share, width } from "./series.js";

const STRIP_PX = 5;
const DAY = 86400000;
const HEIGHT_PX = 210;

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The places of values with a gap on both sides: no line reaches them, so they are drawn as points. */
function alone(chart, series) {
  const values = chart.data[series];
  const found = [];
  values.forEach((value, i) => {
    if (value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) found.push(i);
  });
  return found;
}

function timeLabels(chart, splits, _axis, _space, step) {
  return splits.map((at) => (step >= DAY || clock(at) === "00:00" ? date(at, now()) : clock(at)));
}

/** What is suspect is drawn over the line in a colour of warning. */
function suspects() {
  const stroke = color("--warn");
  return { stroke, width: 2, points: { show: true, size: 5, fill: stroke, filter: alone } };
}

/** What is implausible is no part of the line. */
function failures() {
  const stroke = color("--bad");
  return { paths: () => null, points: { show: true, size: 7, width: 2, stroke, fill: "transparent" } };
}

function lineOf(kind) {
  const stroke = color("--accent");
  if (kind === "total") {
    return { stroke, fill: color("--band"), width: 1, paths: uPlot.paths.bars({ size: [0.8, 24, 1] }), points: { show: false } };
  }
  if (kind === "circular") return { stroke, paths: () => null, points: { show: true, size: 4, fill: stroke, width: 0 } };
  return { stroke, width: 2, points: { show: true, size: 5, fill: stroke, filter: alone } };
}

/** The axis fits every value that counts; what is implausible does not stretch it, unless there is nothing else. */
function valueRange([, lows, highs, values, , failed], kind, fromZero) {
  if (kind === "circular") return [0, 360];
  const real = (column) => column.filter(Number.isFinite);
  const good = [...real(lows), ...real(highs), ...real(values)];
  const shown = good.length ? good : real(failed);
  if (!shown.length) return [0, 1];
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  return fromZero && low >= 0 ? [0, high * 1.08 || 1] : uPlot.rangeNum(low, high, 0.12, true);
}

export class Chart {
  /** @param {HTMLElement} place with data-symbol, data-decimals, data-kind and data-from-zero. */
  constructor(place) {
    this.place = place;
    this.decimals = Number(place.dataset.decimals);
    this.period = null;
    new ResizeObserver(() => this.plot?.setSize({ width: place.clientWidth, height: HEIGHT_PX })).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  /** Show a period as `load` gives it. */
  show(period) {
    this.period = period;
    const { kind, fromZero } = this.place.dataset;
    const data = columns(period, kind);
    this.range = valueRange(data, kind, fromZero === "1");
    this.failed = data[5];
    data[5] = this.failed.map((value) => value && Math.min(Math.max(value, this.range[0]), this.range[1]));
    if (!this.plot) this.plot = new uPlot(this.options(), data, this.place);
    else this.plot.setData(data);
  }

  redraw() {
    this.plot?.destroy();
    this.plot = null;
    if (this.period) this.show(this.period);
  }

  options() {
    const { kind } = this.place.dataset;
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
    const { fontFamily, fontSize } = getComputedStyle(document.body);
    const font = `${Math.round(0.75 * parseFloat(fontSize))}px ${fontFamily}`;
    const hidden = { stroke: "transparent", width: 0, points: { show: false } };
    return {
      width: this.place.clientWidth,
      height: HEIGHT_PX,
      ms: 1,
      tzDate: (at) => uPlot.tzDate(new Date(at), page.zone),
      legend: { show: false },
      padding: [8, 20, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "station", setSeries: false }, points: { show: false } },
      scales: { x: { time: true, range: () => [this.period.from, this.period.to] }, y: { range: () => this.range } },
      axes: [
        { ...axis, font, gap: STRIP_PX + 6, size: 34, space: 72, values: timeLabels, grid: { show: false } },
        { ...axis, font, size: 56, gap: 6, values: (_chart, splits) => splits.map((value) => this.tick(value)),
          ...(kind === "circular" ? { splits: () => [0, 90, 180, 270, 360] } : {}) },
      ],
      series: [{}, hidden, hidden, lineOf(kind), suspects(), failures()],
      bands: kind ? [] : [{ series: [2, 1], fill: color("--band") }],
      hooks: { draw: [(chart) => this.strip(chart)], setCursor: [(chart) => this.point(chart)], ready: [(chart) => this.label(chart)] },
    };
  }

  tick(value) {
    return number(value, Number.isInteger(value) ? 0 : Math.max(1, Math.min(2, this.decimals)));
  }

  /** Under the line: where values came, how completely; where nothing is drawn, nothing came. */
  strip(chart) {
    const { items, step, from, to, intervalMs } = this.period;
    const { ctx, bbox } = chart;
    const ratio = devicePixelRatio;
    const top = bbox.top + bbox.height + 4 * ratio;
    const across = width(step) || intervalMs;
    const at = (time) => Math.min(bbox.left + bbox.width, Math.max(bbox.left, chart.valToPos(time, "x", true)));
    ctx.save();
    ctx.fillStyle = color("--line");
    ctx.fillRect(bbox.left, top, bbox.width, STRIP_PX * ratio);
    if (across) {
      ctx.fillStyle = color("--accent");
      for (const item of items) {
        const start = item.start ? Date.parse(item.start) : Date.parse(item.at) - across;
        if (start + across < from || start > to) continue;
        const height = Math.max(1, Math.round(STRIP_PX * ratio * (share(item, step, to) ?? 1)));
        const [left, right] = [Math.floor(at(start)), Math.ceil(at(start + across))];
        ctx.fillRect(left, top + STRIP_PX * ratio - height, right - left, height);
      }
    }
    ctx.restore();
  }

  label(chart) {
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    chart.over.append(this.tip);
  }

  /** Beside the pointer: when, and what was measured then. */
  point(chart) {
    if (!this.tip) return;
    const { idx, left } = chart.cursor;
    const says = left >= 0 && idx !== null ? this.says(chart.data, idx) : null;
    this.tip.hidden = says === null;
    if (says === null) return;
    this.tip.textContent = says;
    const x = Math.min(Math.max(0, left + 12), chart.over.clientWidth - this.tip.offsetWidth);
    this.tip.style.transform = `translate(${left > chart.over.clientWidth / 2 ? Math.max(0, left - 12 - this.tip.offsetWidth) : x}px, 0)`;
  }

  says([times, lows, highs, values], i) {
    const value = values[i] ?? this.failed[i];
    if (value === null || value === undefined) return null;
    const half = width(this.period.step) / 2;
    const when = half >= DAY / 2 ? date(times[i], now())
      : half ? `${moment(times[i] - half, now())}–${clock(times[i] + half)}` : moment(times[i], now(), preciseClock);
    const figure = `${number(value, this.decimals)} ${this.place.dataset.symbol}`;
    if (this.failed[i] !== null) return `${when}\n${figure}\n${_("implausible")}`;
    if (lows[i] === null) return `${when}\n${figure}`;
    return `${when}\n${figure}\n${number(lows[i], this.decimals)} – ${number(highs[i], this.decimals)}`;
  }
}
