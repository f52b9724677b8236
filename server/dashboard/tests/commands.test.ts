import { describe, expect, test } from "vitest";
import { EVENTS, type CommandResult } from "../src/contract";
import { standing } from "../src/components/accessory/standing";
import { lockReason } from "../src/components/lock";
import { askAt, GIVE_UP_MS, outcome, tally, withResult } from "../src/state/commands";
import type { Deed } from "../src/state/reduce";
import type { State } from "../src/state/model";
import { clock } from "../src/format";
import { after, answered, asked, CONNECTED, device, iso, LOST, profile, result, snapshot, T0 } from "./support";

const ACCEPTED = answered({ ok: true, code: "accepted", command: "c1", devices: ["pi-1"] });
const BASE = [snapshot(), CONNECTED, asked()];

/** What became of the light's newest ask. */
function came(state: State, now = T0) {
  const ask = askAt(state, "pi-1", "breath_light");
  if (!ask) throw new Error("nothing was asked");
  return outcome(ask, state.results, now);
}

describe("one command", () => {
  test.each([
    ["before the relay's ack", BASE],
    ["after the ack", [...BASE, ACCEPTED]],
    ["when sent", [...BASE, ACCEPTED, result("sent")]],
    ["when the device has accepted it", [...BASE, ACCEPTED, result("sent"), result("accepted")]],
    ["when the pin was driven and not read back", [...BASE, ACCEPTED, result("sent"), result("applied")]],
    ["while it is queued", [...BASE, ACCEPTED, result("queued")]],
  ])("is pending %s", (_, what) => {
    expect(came(after(...what)).phase).toBe("pending");
  });

  test("is done when verified", () => {
    expect(came(after(...BASE, ACCEPTED, result("sent"), result("verified")))).toMatchObject({ phase: "done", ok: true });
  });

  test.each(["failed", "expired", "refused", "superseded"] as const)("fails with its code and words when %s", (state) => {
    const end = came(after(...BASE, ACCEPTED, result(state, { code: "hardware_fault", message: "The LED is gone." })));
    expect(end).toEqual({ phase: "done", ok: false, state, code: "hardware_fault", message: "The LED is gone." });
  });

  test("a code without a message still comes in words", () => {
    expect(came(after(...BASE, ACCEPTED, result("expired", { code: "queue_full" })))).toMatchObject({ message: "The device has too many commands waiting." });
  });

  test("a late `accepted` does not take back the final word", () => {
    expect(came(after(...BASE, ACCEPTED, result("verified"), result("accepted")))).toMatchObject({ ok: true });
  });

  test("the first final word is the only one", () => {
    const state = after(...BASE, ACCEPTED, result("expired", { code: "expired" }), result("verified"));
    expect(came(state)).toMatchObject({ ok: false, code: "expired" });
  });

  test("a frame that comes late does not take a step back", () => {
    expect(came(after(...BASE, ACCEPTED, result("applied"), result("accepted")))).toMatchObject({ state: "applied" });
  });

  test("what is queued is awaited until it ends, and its answer a little longer", () => {
    const end = T0 + 3_600_000;
    const state = after(...BASE, ACCEPTED, result("queued", { expires_at: iso(end) }));
    expect(came(state, end)).toEqual({ phase: "pending", state: "queued", until: end });
    expect(came(state, end + GIVE_UP_MS + 1)).toMatchObject({ phase: "done", code: "no_answer" });
  });

  test("a result that overtakes the ack is not lost", () => {
    expect(came(after(...BASE, result("verified"), ACCEPTED))).toMatchObject({ phase: "done", ok: true });
  });

  test("another device's result does not end it", () => {
    expect(came(after(...BASE, ACCEPTED, result("verified", { device: "pi-2" }))).phase).toBe("pending");
  });

  test("is refused when the ack says so, and logged", () => {
    const state = after(...BASE, answered({ ok: false, code: "forbidden", message: "Viewers may not." }));
    expect(came(state)).toEqual({ phase: "done", ok: false, state: null, code: "forbidden", message: "Viewers may not." });
    expect(state.log[0]?.text).toBe("Breath light off: refused. Viewers may not.");
  });

  test("is not awaited for ever", () => {
    const state = after(...BASE, ACCEPTED, result("sent"));
    expect(came(state, T0 + GIVE_UP_MS).phase).toBe("pending");
    expect(came(state, T0 + GIVE_UP_MS + 1)).toMatchObject({ phase: "done", ok: false, code: "no_answer" });
  });

  test("a newer ask at the same part takes its place", () => {
    const state = after(...BASE, ACCEPTED, result("verified"), asked({ local: "local-2", action: "on" }));
    expect(came(state)).toEqual({ phase: "pending", state: "asking", until: null });
  });

  test("one line in the log follows it to its end", () => {
    const state = after(...BASE, ACCEPTED, result("sent"), result("verified", { elapsed_ms: 23.4 }));
    expect(state.log.map(({ text }) => text)).toEqual(["Breath light off: confirmed in 23 ms"]);
  });

  test("the log calls the part what its device calls it", () => {
    const infos = [{ accessory: "breath_light", title: "Breathing light", kind: "breathing_light" }];
    const known = snapshot([device("pi-1", { infos })]);
    expect(after(known, asked(), ACCEPTED, result("verified", { elapsed_ms: 23.4 })).log[0]?.text).toBe("Breathing light off: confirmed in 23 ms");
    expect(after(known, asked(), answered({ ok: false, code: "forbidden", message: "No." })).log[0]?.text).toBe("Breathing light off: refused. No.");
  });

  test("can be dismissed", () => {
    const state = after(...BASE, { deed: "dismissed", slot: "pi-1/breath_light" });
    expect(askAt(state, "pi-1", "breath_light")).toBeUndefined();
  });
});

describe("a connection that is lost", () => {
  test("ends what was open, and says that the outcome is not known", () => {
    expect(came(after(...BASE, ACCEPTED, LOST))).toMatchObject({ phase: "done", ok: false, code: "connection_lost" });
  });

  test("leaves alone what had ended", () => {
    expect(came(after(...BASE, ACCEPTED, result("verified"), LOST))).toMatchObject({ ok: true });
  });

  test("does not end what is queued: that waits at the relay", () => {
    expect(came(after(...BASE, ACCEPTED, result("queued", { expires_at: iso(T0 + 60_000) }), LOST))).toMatchObject({ state: "queued" });
  });

  test("what the next snapshot names as open is awaited again", () => {
    const open = result("accepted", { seq: 4 }).body;
    const state = after(...BASE, ACCEPTED, LOST, CONNECTED, snapshot([device("pi-1", { commands: [open] })]));
    expect(came(state)).toMatchObject({ phase: "pending", state: "accepted" });
  });

  test("of several that are open at one part, the newest is shown", () => {
    const commands = [result("sent", { command: "new", seq: 9, by: "bob" }).body, result("sent", { command: "old", seq: 8 }).body];
    const state = after(snapshot([device("pi-1", { commands })]));
    expect(askAt(state, "pi-1", "breath_light")).toMatchObject({ command: "new", by: "bob", mine: false });
  });

  test("the relay's final word counts, though it comes after the return", () => {
    expect(came(after(...BASE, ACCEPTED, LOST, CONNECTED, result("verified")))).toMatchObject({ ok: true });
  });
});

describe("a command of another page", () => {
  test("is shown as awaited here too", () => {
    const state = after(snapshot(), result("sent", { command: "theirs" }));
    expect(askAt(state, "pi-1", "breath_light")).toMatchObject({ command: "theirs", mine: false });
    expect(came(state).phase).toBe("pending");
  });

  test("does not take the place of an ask whose id is not known yet", () => {
    const state = after(...BASE, result("sent", { command: "theirs" }), ACCEPTED);
    expect(askAt(state, "pi-1", "breath_light")).toMatchObject({ command: "c1", mine: true });
  });
});

describe("a command to many", () => {
  const group: Deed = {
    deed: "asked_group",
    group: { local: "local-1", label: "Breath light off", action: "off", slot: "breath_light", askedAt: T0, command: null, devices: [], refused: null },
  };
  const start = [snapshot([device("a"), device("b"), device("c")]), CONNECTED, group];
  const both = answered({ ok: true, code: "accepted", command: "c1", devices: ["a", "b", "c"] });
  const count = (state: State, now = T0) => (state.group ? tally(state.group, state.results, now) : null);

  test("counts each device's own answer", () => {
    const state = after(...start, both, result("verified", { device: "a" }), result("refused", { device: "b", message: "gone" }));
    expect(count(state)).toEqual({
      asked: 3,
      done: 1,
      queued: 0,
      failed: [{ device: "b", code: "no_answer", message: "gone" }],
      pending: true,
    });
  });

  test("is over when all have answered", () => {
    const state = after(...start, both, ...["a", "b", "c"].map((name) => result("verified", { device: name })));
    expect(count(state)).toMatchObject({ done: 3, pending: false });
  });

  test("shows at each device that it is awaited", () => {
    const state = after(...start, both);
    expect(["a", "b", "c"].map((name) => askAt(state, name, "breath_light")?.command)).toEqual(["c1", "c1", "c1"]);
  });

  test("tells those that are queued from those that answered", () => {
    const state = after(
      ...start,
      both,
      result("verified", { device: "a" }),
      result("queued", { device: "b", expires_at: iso(T0 + 60_000) }),
      result("failed", { device: "c" }),
    );
    expect(count(state)).toMatchObject({ done: 1, queued: 1, failed: [{ device: "c", code: "no_answer" }], pending: false });
  });

  test("to a crowd has one line in the log, and one more for each that failed", () => {
    const crowd = Array.from({ length: 50 }, (_, index) => `d${index}`);
    const ack = answered({ ok: true, code: "accepted", command: "c1", devices: crowd });
    const good = crowd.slice(1).map((name) => result("verified", { device: name }));
    const state = after(snapshot(crowd.map((name) => device(name))), CONNECTED, group, ack, ...good, result("failed", { device: "d0" }));
    expect(state.log.map(({ device: name, text }) => [name, text.split(":")[0]])).toEqual([
      ["d0", "Breath light off"],
      [null, "Breath light off"],
    ]);
  });

  test("that is refused as a whole asks nobody", () => {
    const state = after(...start, answered({ ok: false, code: "unknown_group", message: "No such tag." }));
    expect(state.asks).toEqual({});
    expect(count(state)).toMatchObject({ pending: false });
  });

  test("those that never answer count as failed in the end", () => {
    const state = after(...start, both, result("verified", { device: "a" }));
    expect(count(state, T0 + GIVE_UP_MS + 1)).toMatchObject({ done: 1, pending: false, failed: [{ device: "b" }, { device: "c" }] });
  });
});

test("results are bounded, the oldest commands go first", () => {
  let results: State["results"] = {};
  for (let index = 0; index < 500; index += 1)
    results = withResult(results, result("sent", { command: `c-${index}` }).body as CommandResult);
  expect(Object.keys(results)).toHaveLength(200);
  expect(results["c-499"]).toBeDefined();
});

describe("what a tile says", () => {
  const note = (state: State, now = T0) => standing(askAt(state, "pi-1", "breath_light"), state, now);

  test("while it waits: what was asked", () => {
    expect(note(after(...BASE, ACCEPTED, result("sent")))).toEqual({
      is: "pending",
      action: "off",
      step: 1,
      text: "asked: off — waiting for the device…",
    });
  });

  test.each([
    ["sent", 1, "waiting for the device…"],
    ["accepted", 2, "the device has it…"],
    ["applied", 3, "switched, reading the pin back…"],
  ] as const)("how far it has come: %s", (state, step, words) => {
    expect(note(after(...BASE, ACCEPTED, result(state)))).toMatchObject({ is: "pending", step, text: `asked: off — ${words}` });
  });

  test("that the link is cut while the answer is awaited", () => {
    const gone = { event: EVENTS.DEVICE_STATUS_PUB_CLIENT, body: { device: "pi-1", online: false, since: iso(T0) } } as const;
    expect(note(after(...BASE, ACCEPTED, result("sent"), gone))).toMatchObject({
      is: "pending",
      text: "asked: off — its link is cut; the answer is awaited until the command ends…",
    });
  });

  test("how long a queued command waits, and what cancels it", () => {
    const end = T0 + 3_600_000;
    expect(note(after(...BASE, ACCEPTED, result("queued", { expires_at: iso(end) })))).toEqual({
      is: "queued",
      action: "off",
      text: `asked: off — queued: waits until ${clock(end)}, cancelled by a newer command`,
    });
  });

  test("who asked, where that was not here", () => {
    expect(note(after(snapshot(), result("sent", { command: "theirs", by: "bob" })))).toMatchObject({
      text: "asked by bob: off — waiting for the device…",
    });
  });

  test("a confirmation fades, a failure stays", () => {
    const good = after(...BASE, ACCEPTED, result("verified", { elapsed_ms: 12 }));
    expect(note(good)).toEqual({ is: "confirmed", text: "asked: off — confirmed in 12 ms" });
    expect(note(good, T0 + 60_000).is).toBe("idle");
    const bad = after(...BASE, ACCEPTED, result("failed", { code: "readback_differs", message: "It is still on." }));
    expect(note(bad, T0 + 60_000)).toEqual({ is: "failed", action: "off", code: "readback_differs", text: "asked: off — It is still on." });
  });
});

describe("why a button is locked", () => {
  test("not connected, then not allowed, then offline", () => {
    const offline = device("pi-1", { online: false });
    expect(lockReason(after(snapshot([offline]), CONNECTED, LOST), "pi-1")).toBe("Not connected to the relay");
    expect(lockReason(after(snapshot([offline], { role: "viewer" }), CONNECTED), "pi-1")).toBe("Your token may look, not switch");
    expect(lockReason(after(snapshot([offline]), CONNECTED), "pi-1")).toBe("pi-1 is offline");
    expect(lockReason(after(snapshot(), CONNECTED), "pi-1")).toBeNull();
  });

  test("an off or a clean may wait for a device that is away, an on may not", () => {
    const state = after(snapshot([device("pi-1", { online: false })]), CONNECTED);
    expect((["off", "clean", "on", "check"] as const).map((action) => lockReason(state, "pi-1", action) === null)).toEqual([true, true, false, false]);
  });

  test("a retired device takes no commands", () => {
    const state = after(snapshot(), profile({ retired: true, title: "Old one" }), CONNECTED);
    expect(lockReason(state, "pi-1", "off")).toBe("Old one is retired: it takes no commands");
  });
});
