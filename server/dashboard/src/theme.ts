/** Dark or light: the system's choice until somebody makes another, which this browser remembers. */

import { useSyncExternalStore } from "react";

export type Theme = "dark" | "light";

const KEY = "breathlight.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

/** Take up the remembered choice. Called before the first render. */
export function restoreTheme(): void {
  try {
    const theme = localStorage.getItem(KEY);
    if (theme === "dark" || theme === "light") document.documentElement.dataset["theme"] = theme;
  } catch {
    // Storage is switched off: the system's theme it is.
  }
}

function current(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "dark" || chosen === "light") return chosen;
  return system.matches ? "dark" : "light";
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  system.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    system.removeEventListener("change", listener);
  };
}

/** The theme in use. */
export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, current);
}

/** Use the other theme; back at the system's own, follow the system again. */
export function toggleTheme(): void {
  const next: Theme = current() === "dark" ? "light" : "dark";
  const followsSystem = next === (system.matches ? "dark" : "light");
  if (followsSystem) delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
  try {
    if (followsSystem) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
  for (const listener of listeners) listener();
}
