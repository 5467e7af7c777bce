// The fleet page: contact at once, everything else by drawing the page again, never more often than every 3 seconds.

import { keepTime } from "./ages.js";
import { on, stayLive } from "./live.js";
import { throttledRefresh } from "./refresh.js";
import { putContact } from "./values.js";

const refreshSoon = throttledRefresh(3000);

on("device", (device) => {
  putContact(device);
  refreshSoon();
});
keepTime();
stayLive();
setInterval(refreshSoon, 60000);
