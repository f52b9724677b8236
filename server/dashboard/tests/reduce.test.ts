import { describe, expect, test } from "vitest";
import { EVENTS } from "../src/contract";
import { EMPTY } from "../src/state/model";
import { reduce } from "../src/state/reduce";
import { after, asked, device, iso, light, round, snapshot, T0 } from "./support";

const temperature = (state: ReturnType<typeof after>, name = "pi-1") => state.devices[name]?.readings["temperature"];

describe("snapshot", () => {
  test("everything on the page is as the snapshot says, devices that it does not name are gone", () => {
    const state = after(snapshot([device("old")]), snapshot([device("pi-1"), device("pi-2", { online: false })]));
    expect(Object.keys(state.devices)).toEqual(["pi-1", "pi-2"]);
    expect(state.devices["pi-2"]?.online).toBe(false);
    expect(state.role).toBe("operator");
  });

  test("the relay's clock is told apart from this machine's", () => {
    const state = reduce(EMPTY, snapshot([], { at: iso(T0 + 5000) }), T0);
    expect(state.skewMs).toBe(5000);
  });

  test("what was asked and logged here outlives it", () => {
    const state = after(snapshot(), asked(), snapshot());
    expect(Object.keys(state.asks)).toEqual(["pi-1/breath_light"]);
  });

  test("each one tells charts to load again", () => {
    expect(after(snapshot(), snapshot()).joined).toBe(2);
  });
});

describe("readings", () => {
  test("a newer round replaces the value, an older one of the same stream does not", () => {
    const state = after(snapshot(), round(5, { temperature: 21.5 }), round(4, { temperature: 19 }));
    expect(temperature(state)?.value).toBe(21.5);
  });

  test("a new stream counts from the start: a new SD card is no older for its small ids", () => {
    const state = after(snapshot(), round(500, { temperature: 21 }), round(1, { temperature: 22 }, { stream: "t" }));
    expect(temperature(state)?.value).toBe(22);
  });

  test("a round from before the snapshot leaves the tiles alone", () => {
    const state = after(
      snapshot([device("pi-1", { readings: { temperature: { value: 21, taken_at: iso(T0) } } })]),
      round(3, { temperature: 15 }, { cursor: 50 }),
    );
    expect(temperature(state)?.value).toBe(21);
  });

  test("null is a failure with the last good value beside it, never a zero", () => {
    const quality = { temperature: { state: "failed", reason: "checksum" } } as const;
    const state = after(snapshot(), round(1, { temperature: 21 }), round(2, { temperature: null }, { quality }));
    expect(temperature(state)).toMatchObject({ value: null, quality: { reason: "checksum" }, good: { value: 21 } });
    expect(state.log[0]?.text).toBe("Temperature failed: checksum");
  });

  test("a failure is logged once, and so is the return", () => {
    const state = after(
      snapshot(),
      round(1, { temperature: 21 }),
      round(2, { temperature: null }),
      round(3, { temperature: null }),
      round(4, { temperature: 22 }),
    );
    expect(state.log.map(({ text }) => text)).toEqual([
      "Temperature reads again",
      "Temperature failed: no value from the sensor",
    ]);
  });

  test("a quantity that a round does not name keeps its value", () => {
    const state = after(snapshot(), round(1, { temperature: 21, humidity: 40 }), round(2, { temperature: 22 }));
    expect(state.devices["pi-1"]?.readings["humidity"]?.value).toBe(40);
  });

  test("a sender whose clock is not set is dated by its arrival alone", () => {
    const clock = { boot_id: "b", monotonic_ns: 1, synchronised: false };
    const state = after(snapshot(), round(1, { temperature: 21 }, { clock, taken_at: "1970-01-01T00:00:09.000Z" }));
    expect(temperature(state)).toMatchObject({ takenAt: null, arrivedAt: T0 });
  });

  test("a device that nobody announced appears, with the interval that its rounds show", () => {
    const state = after(
      snapshot([]),
      round(1, { temperature: 21 }, { device: "new" }),
      round(3, { temperature: 21 }, { device: "new" }),
    );
    expect(state.devices["new"]).toMatchObject({ online: true, sampleIntervalS: 2 });
  });

  test("do not make a device online: that is proved otherwise", () => {
    const state = after(snapshot([device("pi-1", { online: false })]), round(1, { temperature: 21 }));
    expect(state.devices["pi-1"]?.online).toBe(false);
  });

  test("one device's round leaves the others as they are, identically", () => {
    const before = after(snapshot([device("pi-1"), device("pi-2")]));
    const state = reduce(before, round(1, { temperature: 21 }), T0);
    expect(state.devices["pi-2"]).toBe(before.devices["pi-2"]);
  });
});

describe("accessories", () => {
  test("a button that was pressed changes nothing but the ask: the state stays as reported", () => {
    const state = after(snapshot(), light(true), asked());
    expect(state.devices["pi-1"]?.accessories["breath_light"]?.reported).toBe(true);
  });

  test("the three truths are kept apart", () => {
    const state = after(snapshot(), light(true, { desired: false }));
    expect(state.devices["pi-1"]?.accessories["breath_light"]).toMatchObject({ reported: true, desired: false });
    expect(state.devices["pi-1"]?.online).toBe(true);
  });

  test("a change without a command is logged with its cause, one that answers a command is not logged twice", () => {
    const state = after(snapshot(), light(true), light(false, { cause: "lease" }), light(true, { command: "c1" }));
    expect(state.log.map(({ text }) => text)).toEqual(["Breath light is off: lease ended"]);
  });

  test("a replayed change from before the snapshot is history", () => {
    const state = after(snapshot(), light(true), light(false, { cursor: 7 }));
    expect(state.devices["pi-1"]?.accessories["breath_light"]?.reported).toBe(true);
  });
});

describe("devices that come and go", () => {
  const status = (online: boolean) =>
    ({ event: EVENTS.DEVICE_STATUS_PUB_CLIENT, body: { device: "pi-1", online, since: iso(T0 + 1) } }) as const;

  test("going offline is shown and logged once", () => {
    const state = after(snapshot(), status(false), status(false));
    expect(state.devices["pi-1"]).toMatchObject({ online: false, since: T0 + 1 });
    expect(state.log).toHaveLength(1);
  });

  test("what a newcomer says of itself is taken up, what it already sent stays", () => {
    const told = device("pi-1", { sample_interval_s: 30, tags: ["attic"], readings: { temperature: { value: 1, taken_at: iso(T0) } } });
    const state = after(snapshot([]), round(9, { temperature: 21 }), { deed: "introduced", device: told });
    expect(state.devices["pi-1"]).toMatchObject({ sampleIntervalS: 30, profile: { tags: ["attic"] } });
    expect(temperature(state)?.value).toBe(21);
  });
});

describe("motion", () => {
  const motion = (id: number, on: boolean, cursor = 101) =>
    ({ event: EVENTS.MOTION_PUB_CLIENT, body: { id, device: "pi-1", stream: "s", motion: on, count: id, taken_at: iso(T0 - 10 + id), cursor } }) as const;

  test("the beginning is logged, the end only shown", () => {
    const state = after(snapshot(), motion(1, true), motion(2, false));
    expect(state.devices["pi-1"]?.motion).toEqual({ motion: false, count: 2, at: T0 - 8 });
    expect(state.log.map(({ text }) => text)).toEqual(["Motion"]);
  });

  test("a replayed movement is logged, and the tile keeps what is newer", () => {
    const state = after(snapshot([device("pi-1", { motion: { id: 9, motion: false, count: 9, taken_at: iso(T0) } })]), motion(3, true, 50));
    expect(state.devices["pi-1"]?.motion?.count).toBe(9);
    expect(state.log).toHaveLength(1);
  });
});

test("a frame without a cursor counts as live", () => {
  const state = after(snapshot(), round(1, { temperature: 23 }, { cursor: null }));
  expect(temperature(state)?.value).toBe(23);
});

test("a change of an accessory that is told again leaves the tile as it is", () => {
  const state = after(snapshot(), light(true), light(false, { cursor: 170, replayed: true }));
  expect(state.devices["pi-1"]?.accessories["breath_light"]?.reported).toBe(true);
});

test("the log is bounded", () => {
  const rounds = Array.from({ length: 400 }, (_, id) => round(id, { temperature: id % 2 === 0 ? 20 : null }));
  expect(after(snapshot(), ...rounds).log.length).toBeLessThanOrEqual(150);
});

test("a refusal that no ack carried is told in words", () => {
  const state = after(snapshot(), { event: EVENTS.ERROR_PUB, body: { code: "slow_consumer", message: "Too slow." } });
  expect(state.log[0]?.text).toBe("The relay refused: Too slow.");
});
