/** Which frames were seen: a live frame may come a second time through a replay. */

const KEPT_PER_STREAM = 1024;

/** What a frame is known by. */
export interface Keyed {
  device?: string | null;
  stream?: string | null;
  id?: number | null;
}

/** The (device, stream, id) keys of the recent past, bounded per stream. */
export class Seen {
  readonly #streams = new Map<string, Set<number>>();

  /** Remember a frame; false when it was seen before. A frame without a key (a periodic report) is always admitted. */
  admit({ device, stream, id }: Keyed): boolean {
    if (!device || !stream || id === null || id === undefined) return true;
    const key = `${device}/${stream}`;
    let ids = this.#streams.get(key);
    if (!ids) this.#streams.set(key, (ids = new Set()));
    if (ids.has(id)) return false;
    ids.add(id);
    if (ids.size > KEPT_PER_STREAM) {
      const oldest = ids.values().next().value;
      if (oldest !== undefined) ids.delete(oldest);
    }
    return true;
  }
}
