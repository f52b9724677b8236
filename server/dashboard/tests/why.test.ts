import { describe, expect, test, vi } from "vitest";
import type { AccessoryState, Alert, CommandResult } from "../src/contract";
import { hrefOf, routeOf } from "../src/link/route";
import { PagedList } from "../src/link/paged";
import { changeOf, draftOf, offsetOf, troubleIn } from "../src/components/settings/draft";
import { UNKNOWN_PROFILE, type Profile } from "../src/state/model";
import { keyOf, lineOf, type LogRecord } from "../src/why/record";
import { alertTold, iso, light, result, T0 } from "./support";

const at = iso(T0);

describe("a line of the log", () => {
  test("a state has its cause, whose command it was, and its fault", () => {
    const state = light(true, { cause: "user", by: "ann", command: "c9", fault: { code: "readback_differs", message: "It reads 1." } }).body as AccessoryState;
    expect(lineOf({ at, kind: "state", state }, () => "Fan")).toEqual({
      tone: "bad",
      what: "Fan is on",
      why: "by ann; It reads 1.",
      code: "readback_differs",
      command: "c9",
    });
  });

  test("a command says who asked and how it ended", () => {
    const good = result("verified", { by: "ann", elapsed_ms: 34 }).body as CommandResult;
    expect(lineOf({ at, kind: "command", command: good })).toMatchObject({
      tone: "good",
      what: "Breath light off: confirmed in 34 ms",
      why: "asked by ann",
      code: null,
    });
    const bad = result("expired", { code: "expired" }).body as CommandResult;
    expect(lineOf({ at, kind: "command", command: bad })).toMatchObject({
      tone: "bad",
      why: "Its time ended before it could be carried out; nothing was switched.",
      code: "expired",
    });
  });

  test("coming and going has its reason", () => {
    const availability = { device: "pi-1", online: false, since: at, reason: "connection_lost", flapping: true } as const;
    expect(lineOf({ at, kind: "availability", availability })).toMatchObject({
      what: "Went offline",
      why: "the connection was lost; it comes and goes",
    });
  });

  test("an alert says by which rule and who settled it", () => {
    const alert = alertTold("closed", { acknowledged_by: "bob", closed_by: "ann", closed_at: iso(T0) }).body as Alert;
    expect(lineOf({ at, kind: "alert", alert })).toMatchObject({
      tone: "plain",
      what: "Warning: Temperature above 27 °C",
      why: "rule too-hot; acknowledged by bob; closed by ann after 1 min",
    });
    const over = alertTold("closed", { closed_because: "26.4 °C is back below 27" }).body as Alert;
    expect(lineOf({ at, kind: "alert", alert: over }).why).toBe("rule too-hot; over: 26.4 °C is back below 27");
    const open = alertTold().body as Alert;
    expect(lineOf({ at, kind: "alert", alert: open })).toMatchObject({ tone: "bad", why: "rule too-hot; still open" });
  });

  test("an edit says what was changed", () => {
    const change = { title: "Kitchen", place: null, tags: ["a", "b"], calibration: { temperature: -0.4 } };
    expect(lineOf({ at, kind: "profile", profile: { by: "ann", change } })).toMatchObject({
      what: "Edited: title Kitchen, place none, tags a, b, calibration of temperature -0.4",
      why: "by ann",
    });
  });

  test("a kind that a newer relay tells is shown by its name", () => {
    expect(lineOf({ at, kind: "firmware_update" } as unknown as LogRecord).what).toBe("Firmware update");
  });

  test("two lines of one instant are told apart", () => {
    const one: LogRecord = { at, kind: "command", command: result("verified").body as CommandResult };
    const other: LogRecord = { at, kind: "command", command: result("verified", { command: "c2" }).body as CommandResult };
    expect(keyOf(one)).not.toBe(keyOf(other));
  });
});

describe("a list in pages", () => {
  const list = (pages: Record<string, { items: string[]; before: string | null }>) =>
    new PagedList(async (before) => pages[before ?? "first"] ?? { items: [], before: null }, (item) => item);
  const settled = async (one: PagedList<string>) => {
    await vi.waitFor(() => expect(one.get().state).toBe("loaded"));
    return one.get();
  };

  test("loads when somebody looks, and then what is older", async () => {
    const one = list({ first: { items: ["c", "b"], before: "b" }, b: { items: ["b", "a"], before: null } });
    expect(one.get().items).toEqual([]);
    one.subscribe(() => undefined);
    expect(await settled(one)).toMatchObject({ items: ["c", "b"], more: true });
    one.loadMore();
    expect(await settled(one)).toMatchObject({ items: ["c", "b", "a"], more: false });
  });

  test("what is new comes on top, and what was loaded below it stays", async () => {
    const pages = { first: { items: ["b"], before: "b" }, b: { items: ["a"], before: null } };
    const one = list(pages);
    one.subscribe(() => undefined);
    await settled(one);
    one.loadMore();
    await settled(one);
    pages.first = { items: ["c", "b"], before: "b" };
    one.refresh();
    expect(await settled(one)).toMatchObject({ items: ["c", "b", "a"], more: false });
  });

  test("where so much came that the new page does not reach down, it starts anew: a hole is never shown as none", async () => {
    const pages = { first: { items: ["b", "a"], before: null as string | null } };
    const one = list(pages);
    one.subscribe(() => undefined);
    await settled(one);
    pages.first = { items: ["z", "y"], before: "y" };
    one.refresh();
    expect(await settled(one)).toMatchObject({ items: ["z", "y"], more: true });
  });

  test("a failure is told, and what was there stays", async () => {
    let fails = false;
    const one = new PagedList(async () => {
      if (fails) throw new Error("The relay cannot be reached.");
      return { items: ["a"], before: null };
    }, (item) => item);
    one.subscribe(() => undefined);
    await settled(one);
    fails = true;
    one.refresh();
    await vi.waitFor(() => expect(one.get()).toMatchObject({ state: "failed", items: ["a"], message: "The relay cannot be reached." }));
  });
});

describe("what is typed of a device", () => {
  const known: Profile = { ...UNKNOWN_PROFILE, title: "Kitchen", tags: ["fans", "ground"], calibration: { temperature: -0.4 } };

  test("unchanged, nothing is sent", () => {
    expect(changeOf(known, draftOf(known))).toEqual({});
  });

  test("only what is different is sent; what is emptied is taken back", () => {
    const draft = { ...draftOf(known), title: " ", place: " Attic ", tags: "ground, fans, fans,, new" };
    expect(changeOf(known, draft)).toEqual({ title: null, place: "Attic", tags: ["ground", "fans", "new"] });
  });

  test("a calibration of nothing is none", () => {
    expect(changeOf(known, { ...draftOf(known), calibration: { temperature: "0", humidity: "1,5" } })).toEqual({ calibration: { humidity: 1.5 } });
  });

  test("numbers are taken as people write them, and what is no number is not sent", () => {
    expect([offsetOf("−0,4"), offsetOf(" 1.5 "), offsetOf("")]).toEqual([-0.4, 1.5, 0]);
    expect(troubleIn({ ...draftOf(known), calibration: { temperature: "warm" } })).toContain("warm");
    expect(troubleIn(draftOf(known))).toBeNull();
  });
});

describe("addresses", () => {
  test.each([
    ["", { view: "devices" }],
    ["#alerts", { view: "alerts" }],
    ["#connections", { view: "connections" }],
    ["#log/pi-1", { view: "log", device: "pi-1" }],
    ["#settings/a%20b", { view: "settings", device: "a b" }],
    ["#log", { view: "devices" }],
    ["#log/%", { view: "log", device: "%" }],
    ["#nonsense/x", { view: "devices" }],
  ])("%s", (hash, route) => {
    expect(routeOf(hash)).toEqual(route);
  });

  test("lead back to the view that they were made of", () => {
    for (const route of [{ view: "alerts" }, { view: "log", device: "ä/b" }, { view: "devices" }] as const) expect(routeOf(hrefOf(route))).toEqual(route);
  });
});
