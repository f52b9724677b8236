import { expect, test } from "vitest";
import { alarming, inOrder, tileState, told } from "../src/quantities";
import { pageTitle } from "../src/components/title";
import { quantityOf, title } from "../src/format";
import { instant } from "../src/state/instant";
import { ageMs, isCut, readingLimitMs, statusLimitMs } from "../src/state/freshness";
import { after, alertTold, CONNECTED, device, iso, LOST, snapshot, T0 } from "./support";

test("a value's age is the larger of its time stamp's and its arrival's", () => {
  expect(ageMs(T0 - 9000, T0 - 1000, T0, 0)).toBe(9000);
  expect(ageMs(T0 + 3_600_000, T0 - 4000, T0, 0)).toBe(4000);
  expect(ageMs(null, T0 - 4000, T0, 0)).toBe(4000);
});

test("a difference between the clocks is not age", () => {
  expect(ageMs(T0 + 60_000, T0, T0, 60_000)).toBe(0);
});

test("each device is stale by its own schedule: after 2.5 intervals", () => {
  expect(readingLimitMs({ sampleIntervalS: 2 })).toBe(5000);
  expect(readingLimitMs({ sampleIntervalS: null })).toBe(75_000);
  expect(statusLimitMs({ statusIntervalS: 10 })).toBe(25_000);
});

test("what failed comes before what is old", () => {
  expect(tileState(null, "failed", true)).toBe("failed");
  expect(tileState(null, undefined, false)).toBe("failed");
  expect(tileState(21, undefined, true)).toBe("stale");
  expect(tileState(21, "degraded", false)).toBe("degraded");
  expect(tileState(0, undefined, false)).toBe("fresh");
});

test("nothing is live before the first snapshot, nor after the connection is lost", () => {
  expect(isCut(after(CONNECTED))).toBe(true);
  expect(isCut(after(CONNECTED, snapshot()))).toBe(false);
  expect(isCut(after(CONNECTED, snapshot(), LOST))).toBe(true);
});

test("values are told with unit and precision, spans in words, flags as yes or no, and null as no value", () => {
  expect(told("temperature", 21.449, "°C")).toEqual({ text: "21.4", unit: "°C" });
  expect(told("temperature", -0.04, "°C").text).toBe("0.0");
  expect(told("temperature", -3.25, "°C").text).toBe("−3.3");
  expect(told("humidity", 48, "%RH")).toEqual({ text: "48.0", unit: "%" });
  expect(told("uptime", 273_600, "s")).toEqual({ text: "3 d 4 h", unit: "" });
  expect(told("under_voltage", 1, "").text).toBe("yes");
  expect(told("temperature", null, "°C")).toEqual({ text: "–", unit: "" });
  expect(told("zinc", 612.3456789, "")).toEqual({ text: "612.346", unit: "" });
});

test("what is measured in several places has the unit of its kind and the place in its title", () => {
  expect(told("temperature.attic", 21.449, quantityOf("temperature.attic")?.unit ?? "")).toEqual({ text: "21.4", unit: "°C" });
  expect([title("temperature.under_roof"), title("PM2.5"), title("PM2.5.street"), title("no.such")]).toEqual([
    "Temperature, under roof",
    "PM2.5",
    "PM2.5, street",
    "No.such",
  ]);
  expect(inOrder(["humidity", "temperature.b", "temperature"])).toEqual(["temperature", "temperature.b", "humidity"]);
});

test("only a raised flag is alarming, not a value that is missing", () => {
  expect([alarming("under_voltage", 1), alarming("under_voltage", 0), alarming("under_voltage", null)]).toEqual([true, false, false]);
});

test("quantities stand in the contract's order, unknown ones behind", () => {
  expect(inOrder(["zinc", "uptime", "humidity", "alpha", "temperature"])).toEqual(["temperature", "humidity", "uptime", "alpha", "zinc"]);
});

test("the tab tells a single device's temperature, how many are online, or that nothing is live", () => {
  const warm = device("pi-1", { readings: { temperature: { value: 21.44, taken_at: iso(T0) } } });
  expect(pageTitle(after(CONNECTED, snapshot([warm])))).toBe("21.4 °C · pi-1 · Breathlight");
  expect(pageTitle(after(CONNECTED, snapshot([warm, device("pi-2", { online: false })])))).toBe("1 of 2 online · Breathlight");
  expect(pageTitle(after(CONNECTED, snapshot([warm]), alertTold()))).toBe("(1) 21.4 °C · pi-1 · Breathlight");
  expect(pageTitle(after(CONNECTED, snapshot([warm]), LOST))).toBe("Not connected · Breathlight");
});

const clock = (synchronised: boolean, redated = false) => ({ boot_id: "b", monotonic_ns: 1, synchronised, redated });

test("a frame happened when its sender says, never in the future", () => {
  expect(instant({ taken_at: iso(T0 - 5000) }, T0)).toBe(T0 - 5000);
  expect(instant({ taken_at: iso(T0 + 5000) }, T0)).toBe(T0);
  expect(instant({}, T0)).toBe(T0);
});

test("a clock that is not set is believed about minutes, not about years", () => {
  expect(instant({ taken_at: iso(T0 - 90_000), clock: clock(false) }, T0)).toBe(T0 - 90_000);
  expect(instant({ taken_at: "1970-01-01T00:01:00.000Z", clock: clock(false) }, T0)).toBe(T0);
  expect(instant({ taken_at: iso(T0 - 2 * 86_400_000), clock: clock(false, true) }, T0)).toBe(T0 - 2 * 86_400_000);
});
