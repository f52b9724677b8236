import { describe, expect, test } from "vitest";
import { EVENTS, type Absence } from "../src/contract";
import { accessoryNames, kindOf, stateWord } from "../src/components/accessory/kinds";
import { readingLimitMs } from "../src/state/freshness";
import { accessoryTitle, nameOf } from "../src/state/model";
import { choices, EVERYTHING, found, rows, type Filter } from "../src/state/roster";
import { causeName } from "../src/words";
import { after, alertTold, device, iso, light, profile, round, snapshot, T0 } from "./support";

const lightOf = (state: ReturnType<typeof after>) => state.devices["pi-1"]?.accessories["breath_light"];

describe("why an accessory is what it is", () => {
  test("a change says since when, with its cause and who asked", () => {
    const state = after(snapshot(), light(false), light(true, { id: 5, cause: "rule", by: "dusk", reported_at: iso(T0 + 5000) }));
    expect(lightOf(state)).toMatchObject({ since: T0 + 5000, cause: "rule", by: "dusk" });
  });

  test("a report that changes nothing does not move it", () => {
    const state = after(snapshot(), light(false), light(true), light(true, { reported_at: iso(T0 + 10_000) }));
    expect(lightOf(state)).toMatchObject({ since: T0, reportedAt: T0 + 10_000 });
  });

  test("the relay knows it, for one that came later", () => {
    expect(lightOf(after(snapshot(), light(true, { since: iso(T0 - 9000) })))?.since).toBe(T0 - 9000);
  });

  test("where nobody saw it change, nothing is said of when", () => {
    expect(lightOf(after(snapshot(), light(true)))?.since).toBeNull();
  });

  test("a lease ends so long after its report", () => {
    expect(lightOf(after(snapshot(), light(true, { lease_left_s: 30 })))?.leaseUntil).toBe(T0 + 30_000);
    expect(lightOf(after(snapshot(), light(true)))?.leaseUntil).toBeNull();
  });

  test("causes are told in words", () => {
    expect([causeName("user", "ann"), causeName("rule", "rule:fan-when-hot"), causeName("lease"), causeName("clean", "bob"), causeName(null)]).toEqual([
      "by ann",
      "rule fan-when-hot",
      "lease ended",
      "everything was turned off by bob",
      "",
    ]);
  });
});

describe("any accessory that a device declares", () => {
  const infos = [
    { accessory: "fan", kind: "switch", title: "Fan", safe: "off" as const },
    { accessory: "breath_light", kind: "breathing_light" },
  ];
  const known = after(snapshot([device("pi-1", { infos })])).devices["pi-1"];

  test("is listed before it has reported, the usual ones first", () => {
    expect(known && accessoryNames(known)).toEqual(["breath_light", "fan"]);
  });

  test("a device that says and reports none has none", () => {
    expect(accessoryNames({ infos: {}, accessories: {} })).toEqual([]);
  });

  test("has its own title and kind; what is not told is taken for a switch", () => {
    expect(known && [accessoryTitle(known, "fan"), kindOf(known, "fan")]).toEqual(["Fan", "switch"]);
    expect([kindOf({ infos: {} }, "infrared_sensor"), kindOf({ infos: {} }, "buzzer")]).toEqual(["infrared_watch", "switch"]);
    expect(accessoryTitle({ infos: {} }, "relay_board")).toBe("Relay board");
  });

  test("is unknown until it has reported", () => {
    expect([stateWord("switch", null), stateWord("infrared_watch", true), stateWord("switch", false)]).toEqual(["Unknown", "Watching", "Off"]);
  });
});

describe("a device as people know it", () => {
  test("is called what they call it, live", () => {
    const state = after(snapshot(), profile({ title: "Kitchen", place: "Ground floor", tags: ["fans"] }));
    expect(state.devices["pi-1"] && nameOf(state.devices["pi-1"])).toBe("Kitchen");
    expect(state.devices["pi-1"]?.profile).toMatchObject({ place: "Ground floor", tags: ["fans"] });
  });

  test("a profile of one that is not known changes nothing", () => {
    expect(Object.keys(after(snapshot([]), profile()).devices)).toEqual([]);
  });

  test("that is removed is gone with its asks and alerts, and the log says into what", () => {
    const removed = { event: EVENTS.DEVICE_REMOVED_PUB_CLIENT, body: { device: "pi-1", into: "pi-2" } } as const;
    const state = after(snapshot([device(), device("pi-2")]), profile({ device: "pi-2", title: "New" }), alertTold(), removed);
    expect(Object.keys(state.devices)).toEqual(["pi-2"]);
    expect(state.alerts).toEqual({});
    expect(state.log[0]?.text).toBe("Goes on as New");
  });
});

describe("availability", () => {
  const status = (online: boolean, reason: Absence | null, flapping = false) =>
    ({ event: EVENTS.DEVICE_STATUS_PUB_CLIENT, body: { device: "pi-1", online, since: iso(T0), reason, flapping } }) as const;

  test("offline has its reason in words, and flapping is kept", () => {
    const state = after(snapshot(), status(false, "heartbeat_missed", true));
    expect(state.devices["pi-1"]).toMatchObject({ online: false, reason: "heartbeat_missed", flapping: true });
    expect(state.log[0]?.text).toBe("Went offline: connected, but silent");
  });

  test("a value is stale by its own schedule where that is told", () => {
    expect(readingLimitMs({ sampleIntervalS: 2 }, { staleAfterS: 90 })).toBe(90_000);
    expect(readingLimitMs({ sampleIntervalS: 2 }, { staleAfterS: null })).toBe(5000);
  });

  test("the schedule stays when live rounds come, which do not tell it", () => {
    const told = device("pi-1", { readings: { temperature: { value: 21, taken_at: iso(T0), stale_after_s: 90 } } });
    const state = after(snapshot([told]), round(1, { temperature: 22 }));
    expect(state.devices["pi-1"]?.readings["temperature"]).toMatchObject({ value: 22, staleAfterS: 90 });
  });

  test("a failed quantity says since when there is no data, though nobody here saw its last value", () => {
    const told = device("pi-1", { readings: { temperature: { value: null, taken_at: iso(T0), value_at: iso(T0 - 60_000) } } });
    expect(after(snapshot([told])).devices["pi-1"]?.readings["temperature"]?.good).toEqual({ value: null, at: T0 - 60_000 });
  });

  test("what was added to a value is known from its round, and not before", () => {
    const told = device("pi-1", { readings: { temperature: { value: 21, taken_at: iso(T0) } } });
    const before = after(snapshot([told]));
    expect(before.devices["pi-1"]?.readings["temperature"]?.offset).toBeNull();
    const state = after(snapshot([told]), round(1, { temperature: 20.6, humidity: 40 }, { calibration: { temperature: -0.4 } }));
    expect(state.devices["pi-1"]?.readings["temperature"]?.offset).toBe(-0.4);
    expect(state.devices["pi-1"]?.readings["humidity"]?.offset).toBe(0);
  });
});

describe("the list", () => {
  const state = after(
    snapshot([device("pi-10"), device("pi-9", { online: false }), device("attic"), device("old")]),
    profile({ device: "pi-9", title: "Kitchen window", place: "Ground floor", tags: ["fans"] }),
    profile({ device: "attic", place: "Attic", tags: ["fans"] }),
    profile({ device: "old", retired: true }),
    alertTold("open", { device: "attic" }),
  );
  const all = rows(state);
  const names = (filter: Partial<Filter>) => found(all, { ...EVERYTHING, ...filter }).map(({ name }) => name);

  test("stands by what people call them, numbers in their order", () => {
    expect(rows(after(snapshot([device("pi-10"), device("pi-9")]))).map(({ name }) => name)).toEqual(["pi-9", "pi-10"]);
  });

  test.each([
    [{}, ["attic", "pi-9", "pi-10"]],
    [{ search: "KITCH ground" }, ["pi-9"]],
    [{ search: "nowhere" }, []],
    [{ tag: "fans" }, ["attic", "pi-9"]],
    [{ place: "Attic" }, ["attic"]],
    [{ show: "offline" as const }, ["pi-9"]],
    [{ show: "alerts" as const }, ["attic"]],
    [{ show: "retired" as const }, ["old"]],
    [{ tag: "fans", show: "online" as const }, ["attic"]],
  ])("is narrowed by %o", (filter, expected) => {
    expect(names(filter)).toEqual(expected);
  });

  test("offers each group and place once", () => {
    expect([choices(all, ({ tags }) => tags), choices(all, ({ place }) => [place])]).toEqual([["fans"], ["Attic", "Ground floor"]]);
  });
});
