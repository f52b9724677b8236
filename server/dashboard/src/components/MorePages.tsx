import { useSyncExternalStore } from "react";
import type { PagedList, Pages } from "../link/paged";

/** What there is of a list so far, kept up to date. */
export function usePages<T>(list: PagedList<T>): Pages<T> {
  return useSyncExternalStore(list.subscribe, list.get, list.get);
}

/** What stands below a list in pages: more of it, that it loads, or why it could not. */
export function MorePages<T>({ list }: { list: PagedList<T> }) {
  const pages = usePages(list);
  return (
    <div className="more" role="status">
      {pages.state === "loading" && <span className="quiet">Loading…</span>}
      {pages.state === "failed" && (
        <span className="more-failed">
          Could not be loaded: {pages.message}{" "}
          <button type="button" className="link-button" onClick={list.refresh}>
            Try again
          </button>
        </span>
      )}
      {pages.state === "loaded" && pages.more && (
        <button type="button" className="button" onClick={list.loadMore} data-testid="more">
          Show earlier
        </button>
      )}
    </div>
  );
}
