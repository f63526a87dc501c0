// Numbers, sizes, durations and times, in the reader's language.

import { computed, signal } from "@preact/signals";
import { language } from "./text";

const number = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const fraction = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const percentage = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });

export const count = (n: number) => number.format(n);
export const percent = (part: number) => percentage.format(part);

/** A rate without its unit. Small rates keep one decimal. */
export const rate = (n: number) => (n < 100 ? fraction : number).format(n);

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A size in binary units, as AWS's limits are. */
export function bytes(n: number): string {
  let unit = 0;
  while (n >= 1024 && unit < byteUnits.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${(unit === 0 || n >= 100 ? number : fraction).format(n)} ${byteUnits[unit]}`;
}

const unitFormat = (unit: string) =>
  new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 });
const seconds = unitFormat("second");
const minutes = unitFormat("minute");
const hours = unitFormat("hour");
const days = unitFormat("day");

/** A duration in the largest unit that it fills. */
export function duration(s: number): string {
  if (s < 120) return seconds.format(s < 10 ? Math.round(s * 10) / 10 : Math.round(s));
  if (s < 7200) return minutes.format(Math.round(s / 60));
  if (s < 172800) return hours.format(Math.round(s / 360) / 10);
  return days.format(Math.round(s / 8640) / 10);
}

const pad = (n: number) => String(n).padStart(2, "0");

const zoneKey = "streamproof.zone";

/** Whether times are shown in UTC or in the reader's time zone. */
export const utc = signal(localStorage.getItem(zoneKey) !== "local");

export function setUTC(on: boolean) {
  utc.value = on;
  localStorage.setItem(zoneKey, on ? "utc" : "local");
}

const zoneName =
  new Intl.DateTimeFormat(language, { timeZoneName: "short" }).formatToParts(new Date()).find((p) => p.type === "timeZoneName")
    ?.value ?? "local";

const clockOf = (d: Date, inUTC: boolean) =>
  inUTC
    ? `${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}:${pad(d.getUTCSeconds())}`
    : `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;

const dayOf = (d: Date, inUTC: boolean) =>
  inUTC
    ? `${d.getUTCFullYear()}-${pad(d.getUTCMonth() + 1)}-${pad(d.getUTCDate())}`
    : `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;

/** A moment with its date and zone, in UTC or local time. */
export const moment = (iso: string, inUTC = utc.value) => {
  const d = new Date(iso);
  return `${dayOf(d, inUTC)} ${clockOf(d, inUTC)} ${inUTC ? "UTC" : zoneName}`;
};

/** The time of the day alone, for the axis of a chart. */
export const clock = (at: number | string, inUTC = utc.value) => clockOf(new Date(at), inUTC);

/** The current time, once a second, for ages. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 1000);

/** How old a moment is, in seconds. */
export const age = (iso: string) => Math.max(0, (now.value - Date.parse(iso)) / 1000);

/** The short form of a query's hash. */
export const shortHash = (hash: string) => hash.slice(0, 12);

/** Makes control characters visible, and directions of writing harmless, in text from outside. */
export const visible = (text: string) =>
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : `\\u${code.toString(16).padStart(4, "0")}`;
  });

export const zoneLabel = computed(() => (utc.value ? "UTC" : zoneName));
