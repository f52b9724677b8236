import { expect, test, vi } from "vitest";
import { Seen } from "../src/state/seen";
import { Store } from "../src/state/store";
import { light, round, snapshot, T0 } from "./support";

const joined = () => {
  const store = new Store(() => T0);
  store.receive(snapshot());
  return store;
};

test("a frame that comes twice changes nothing the second time, and no chart hears of it", () => {
  const store = joined();
  const heard = vi.fn();
  store.onRound("pi-1", heard);
  store.receive(round(1, { temperature: 21 }));
  const before = store.get();
  store.receive(round(1, { temperature: 99 }));
  expect(store.get()).toBe(before);
  expect(heard).toHaveBeenCalledTimes(1);
});

test("the same id in another stream is another frame", () => {
  const store = joined();
  const heard = vi.fn();
  store.onRound("pi-1", heard);
  store.receive(round(1, { temperature: 21 }));
  store.receive(round(1, { temperature: 22 }, { stream: "t" }));
  expect(heard).toHaveBeenCalledTimes(2);
});

test("an accessory's state counts again with the same key: its link and desired state are news", () => {
  const store = joined();
  store.receive(light(true, { stream: "s", id: 4, desired: null }));
  store.receive(light(true, { stream: "s", id: 4, desired: false }));
  expect(store.get().devices["pi-1"]?.accessories["breath_light"]?.desired).toBe(false);
});

test("a chart hears only its own device, and nothing after it has left", () => {
  const store = joined();
  const heard = vi.fn();
  const leave = store.onRound("pi-1", heard);
  store.receive(round(1, { temperature: 21 }, { device: "pi-2" }));
  leave();
  store.receive(round(2, { temperature: 21 }));
  expect(heard).not.toHaveBeenCalled();
});

test("listeners are told of a change, and not of none", () => {
  vi.useFakeTimers();
  const store = joined();
  vi.runAllTimers();
  const listener = vi.fn();
  store.subscribe(listener);
  store.receive(round(1, { temperature: 21 }));
  store.receive(round(1, { temperature: 21 }));
  vi.runAllTimers();
  expect(listener).toHaveBeenCalledTimes(1);
  vi.useRealTimers();
});

test("many frames in a moment are heard of twice: at the first, and when the moment is over", () => {
  vi.useFakeTimers();
  const store = joined();
  vi.runAllTimers();
  const listener = vi.fn();
  store.subscribe(listener);
  for (let id = 1; id <= 100; id += 1) store.receive(round(id, { temperature: id }));
  expect(listener).toHaveBeenCalledTimes(1);
  vi.runAllTimers();
  expect(listener).toHaveBeenCalledTimes(2);
  expect(store.get().devices["pi-1"]?.readings["temperature"]?.value).toBe(100);
  vi.useRealTimers();
});

test("keys are forgotten oldest first, so that memory is bounded", () => {
  const seen = new Seen();
  for (let id = 0; id < 5000; id += 1) expect(seen.admit({ device: "d", stream: "s", id })).toBe(true);
  expect(seen.admit({ device: "d", stream: "s", id: 4999 })).toBe(false);
  expect(seen.admit({ device: "d", stream: "s", id: 4000 })).toBe(false);
  expect(seen.admit({ device: "d", stream: "s", id: 0 })).toBe(true);
});

test("a frame without a key is always admitted", () => {
  const seen = new Seen();
  expect([seen.admit({ device: "d" }), seen.admit({ device: "d" })]).toEqual([true, true]);
});
