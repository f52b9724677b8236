/** One clock for all ages on the page: components that show one re-render only when what they show changes. */

import { useSyncExternalStore } from "react";

const PERIOD_MS = 1000;

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  now = Date.now();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = Date.now();
    timer = setInterval(tick, PERIOD_MS);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** What `tell` makes of this machine's time in epoch ms, told again once a second. It must return a primitive. */
export function useTick<T extends string | number | boolean | null>(tell: (now: number) => T): T {
  return useSyncExternalStore(subscribe, () => tell(now));
}

/** This machine's time in epoch ms, once a second. */
export function useNow(): number {
  return useTick((time) => time);
}
