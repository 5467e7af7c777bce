// Values that arrive are put in their places at once.

import { setAge, weigh } from "./ages.js";
import { number } from "./format.js";

/** Put the values of a `latest` event in place; false when one of them has no place on this page. */
export function putValues({ device, values }) {
  let all = true;
  for (const { sensor, quantity, at, value, quality } of values) {
    const key = CSS.escape(`${device}/${sensor}/${quantity}`);
    const reading = document.querySelector(`[data-reading="${key}"]`);
    if (!reading) {
      all = false;
      continue;
    }
    const atMs = Date.parse(at);
    if (atMs < Number(reading.dataset.at)) continue;
    reading.dataset.at = atMs;
    reading.dataset.quality = quality;
    reading.querySelector(".value").textContent = value === null ? "–" : number(value, Number(reading.dataset.decimals));
    reading.querySelector(".flag.suspect").hidden = quality !== 3;
    reading.querySelector(".flag.failed").hidden = quality !== 4;
    setAge(reading.querySelector(".age"), atMs);
    weigh(reading);
  }
  return all;
}

/** Put a device's contact in place; false when it has no place on this page. */
export function putContact(device) {
  const place = document.querySelector(`.contact[data-device="${CSS.escape(device.id)}"]`);
  const age = place?.querySelector(".age");
  if (!age || !device.contact) return false;
  const contactMs = Date.parse(device.contact);
  setAge(age, contactMs);
  if (place.dataset.silentAfter) place.dataset.silentAt = contactMs + Number(place.dataset.silentAfter);
  return true;
}
