// The environment page: values as they arrive, the last 24 hours as a small line, new stations by drawing again.

import { keepTime } from "./ages.js";
import { on, stayLive } from "./live.js";
import { throttledRefresh } from "./refresh.js";
import { drawSparks } from "./spark.js";
import { putContact, putValues } from "./values.js";

const NOT_ENVIRONMENT = new Set(["press_count", "battery"]);
const SPARKS_MS = 60000;

const refreshSoon = throttledRefresh(5000, drawSparks);

on("latest", (latest) => {
  const values = latest.values.filter((value) => !NOT_ENVIRONMENT.has(value.quantity));
  if (!putValues({ ...latest, values })) refreshSoon();
});
on("device", putContact);
keepTime();
stayLive();
drawSparks();
setInterval(drawSparks, SPARKS_MS);
