import { expect, test } from "vitest";
import { ago, bytes, count, duration, epoch, latency, sentence } from "../src/format";
import { waitMs } from "../src/link/backoff";
import { csvHref } from "../src/link/http";

test("waits double, never exceed 15 s, and are spread over their second half", () => {
  expect([0, 1, 2, 3].map((attempt) => waitMs(attempt, 1))).toEqual([500, 1000, 2000, 4000]);
  for (const attempt of [5, 50, 5000]) {
    expect(waitMs(attempt, 1)).toBe(15_000);
    expect(waitMs(attempt, 0)).toBe(7500);
  }
});

test("spans are told in their two largest units", () => {
  expect([-5, 0, 59.9, 60, 3600, 7500, 86_399, 90_000].map(duration)).toEqual([
    "0 s",
    "0 s",
    "59 s",
    "1 min",
    "1 h 00 min",
    "2 h 05 min",
    "23 h 59 min",
    "1 d 1 h",
  ]);
  expect([ago(400), ago(3200)]).toEqual(["just now", "3 s ago"]);
  expect([latency(0.42), latency(23.4), latency(1400)]).toEqual(["0.4 ms", "23 ms", "1.4 s"]);
});

test("sizes and counts are told as people read them", () => {
  expect([0, 1, 999, 1_200, 4_194_304, 250_000_000].map(bytes)).toEqual(["0 bytes", "1 byte", "999 bytes", "1.2 KB", "4.2 MB", "250 MB"]);
  expect([7, 1_000, 1_234_567].map(count)).toEqual(["7", "1\u202f000", "1\u202f234\u202f567"]);
});

test("a time stamp that cannot be read is none", () => {
  expect([epoch(null), epoch("soon"), epoch("1970-01-01T00:00:01.000Z")]).toEqual([null, null, 1000]);
});

test("names are written for people", () => {
  expect(sentence("breath_light")).toBe("Breath light");
});

test("a download's address is quoted", () => {
  expect(csvHref("a/b", ["PM2.5", "x"], { from: 0, to: 1000 })).toBe(
    "/api/devices/a%2Fb/readings.csv?quantity=PM2.5&quantity=x&from=1970-01-01T00%3A00%3A00.000Z&to=1970-01-01T00%3A00%3A01.000Z",
  );
});
