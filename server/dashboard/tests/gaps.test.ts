import { expect, test, vi } from "vitest";
import type { Ack } from "../src/contract";
import { Gaps, type Frame } from "../src/state/gaps";

/** A page, and a relay that answers when a test says so. */
function page(since?: number) {
  const told: (number | string)[] = [];
  const asked: number[] = [];
  const answers: ((ack: Ack) => void)[] = [];
  const giveUp = vi.fn();
  const gaps = new Gaps<number | string>(
    {
      ask: (from) => {
        asked.push(from);
        return new Promise((resolve) => answers.push(resolve));
      },
      tell: (item) => told.push(item),
      refused: ({ code }) => told.push(code),
      giveUp,
    },
    since,
  );
  gaps.welcomed();
  const frame = (id: number, more: Frame = {}) => gaps.take({ device: "d", stream: "s", id, cursor: id - 1, ...more }, id);
  const again = (id: number) => frame(id, { cursor: id, replayed: true });
  const answer = async (ack: Partial<Ack>) => {
    answers.shift()?.({ ok: true, code: "accepted", ...ack });
    await vi.waitFor(() => undefined);
  };
  return { gaps, told, asked, frame, again, answer, giveUp };
}

test("what was left out comes before what is new, and each once", async () => {
  const { gaps, told, asked, frame, again, answer } = page();
  frame(1);
  frame(2);
  gaps.missed(2);
  // From where nothing is missing: what comes again is known.
  expect(asked).toEqual([1]);
  frame(6);
  for (const id of [3, 4, 5, 6]) again(id);
  frame(7);
  expect(told).toEqual([1, 2, 3, 4, 5, 6]);
  await answer({ cursor: 6 });
  frame(8);
  expect(told).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(gaps.cursor).toBe(7);
});

test("a replay with a gap of its own is asked for once more, from there", async () => {
  const { gaps, told, asked, frame, again, answer } = page();
  frame(1);
  gaps.missed(0);
  again(1);
  again(2);
  gaps.missed(2);
  again(5);
  await answer({ cursor: 5 });
  expect(asked).toEqual([0, 2]);
  for (const id of [3, 4, 5]) again(id);
  await answer({ cursor: 5 });
  // The store, or the client, leaves out what it has seen.
  expect([...new Set(told)]).toEqual([1, 2, 3, 4, 5]);
  expect(gaps.cursor).toBe(5);
});

test("what was left out of a connection's own replay is asked for once its snapshot is there", async () => {
  const { gaps, told, asked, frame, again, answer } = page(3);
  gaps.beginAnew();
  again(4);
  gaps.missed(4);
  again(9);
  expect(asked).toEqual([]);
  gaps.welcomed();
  expect(asked).toEqual([4]);
  frame(10);
  for (const id of [5, 6, 7, 8, 9]) again(id);
  await answer({ cursor: 9 });
  expect(told).toEqual([4, 5, 6, 7, 8, 9, 10]);
});

test("what is missing is asked for again by the next connection, from where nothing is", async () => {
  const { gaps, told, frame, answer } = page();
  frame(1);
  gaps.missed(1);
  frame(9);
  gaps.beginAnew();
  await answer({ cursor: 9 });
  expect(told).toEqual([1]);
  expect(gaps.cursor).toBe(0);
});

test("where the relay no longer has it that is told, and the rest goes on", async () => {
  const { gaps, told, frame, answer } = page();
  gaps.missed(1);
  frame(9);
  await answer({ ok: false, code: "replay_incomplete" });
  expect(told).toEqual(["replay_incomplete", 9]);
});

test("a replay that is refused for now is asked for later", async () => {
  vi.useFakeTimers();
  const { gaps, asked, answer } = page();
  gaps.missed(1);
  const refused = answer({ ok: false, code: "queue_full", retry: true });
  await vi.advanceTimersByTimeAsync(1_500);
  await refused;
  expect(asked).toEqual([1, 1]);
  vi.useRealTimers();
});

test("more than can be held back makes the connection begin anew", () => {
  const { gaps, frame, giveUp } = page();
  gaps.missed(1);
  for (let id = 2; id < 10_100; id += 1) frame(id);
  expect(giveUp).toHaveBeenCalled();
});

test("a state that nobody counts is told at once", () => {
  const { gaps, told } = page();
  gaps.missed(1);
  gaps.take({ device: "d" }, "report");
  expect(told).toEqual(["report"]);
});
