/** Lists that come from the relay in pages, newest first. */

import type { Page } from "./http";

/** What there is of a list so far. */
export interface Pages<T> {
  items: readonly T[];
  state: "loading" | "loaded" | "failed";
  message: string;
  /** Whether there is more before what is shown. */
  more: boolean;
}

type Load<T> = (before: string | null) => Promise<Page<T>>;

/** One list. It is loaded once somebody looks at it. */
export class PagedList<T> {
  readonly #load: Load<T>;
  readonly #keyOf: (item: T) => string;
  readonly #listeners = new Set<() => void>();
  #pages: Pages<T> = { items: [], state: "loading", message: "", more: false };
  #before: string | null = null;
  #started = false;
  /** Counts what was asked for: an answer that was overtaken is not shown. */
  #asked = 0;

  /** `load` gives the page before a cursor; `keyOf` tells items apart, so that none is there twice. */
  constructor(load: Load<T>, keyOf: (item: T) => string) {
    this.#load = load;
    this.#keyOf = keyOf;
  }

  readonly get = (): Pages<T> => this.#pages;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (!this.#started) {
      this.#started = true;
      this.refresh();
    }
    return () => this.#listeners.delete(listener);
  };

  /** Load the first page again. What is older stays as it is, where the new page reaches down to it. */
  readonly refresh = (): void => {
    void this.#fetch(null, (page) => {
      const fresh = new Set(page.items.map(this.#keyOf));
      const meets = this.#pages.items.some((item) => fresh.has(this.#keyOf(item)));
      if (!meets) this.#before = page.before;
      return meets ? [...page.items, ...this.#pages.items.filter((item) => !fresh.has(this.#keyOf(item)))] : page.items;
    });
  };

  /** Load the page after the last one. */
  readonly loadMore = (): void => {
    if (this.#before === null) return;
    void this.#fetch(this.#before, (page) => {
      this.#before = page.before;
      const known = new Set(this.#pages.items.map(this.#keyOf));
      return [...this.#pages.items, ...page.items.filter((item) => !known.has(this.#keyOf(item)))];
    });
  };

  async #fetch(before: string | null, merge: (page: Page<T>) => readonly T[]): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    this.#set({ ...this.#pages, state: "loading", message: "" });
    try {
      const page = await this.#load(before);
      if (asked !== this.#asked) return;
      const items = merge(page);
      this.#set({ items, state: "loaded", message: "", more: this.#before !== null });
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#set({ ...this.#pages, state: "failed", message: error instanceof Error ? error.message : String(error) });
    }
  }

  #set(pages: Pages<T>): void {
    this.#pages = pages;
    for (const listener of this.#listeners) listener();
  }
}
