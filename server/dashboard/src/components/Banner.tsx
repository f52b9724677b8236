import { ago, moment } from "../format";
import { useControls } from "../link/operator";
import { useStore } from "../state/store";
import { useNow } from "../state/ticker";

/** While the page is not connected: since when, when it tries again, and that nothing shown is live. */
export function Banner() {
  const link = useStore((state) => state.link);
  return link.state === "reconnecting" ? <Lost lostAt={link.lostAt} retryAt={link.retryAt} why={link.why} /> : null;
}

function Lost({ lostAt, retryAt, why }: { lostAt: number; retryAt: number | null; why: string }) {
  const { relay } = useControls();
  const ready = useStore((state) => state.ready);
  const now = useNow();
  const wait = retryAt === null ? 0 : Math.ceil((retryAt - now) / 1000);
  return (
    <div className="banner" data-testid="banner">
      <p role="alert">
        <strong>No connection to the relay</strong> since {moment(lostAt, now)}
        {why && ` (${why})`}.{ready && " What you see is what was last known; nothing can be switched."}
      </p>
      <p className="banner-next">
        <span>{wait > 0 ? `Next try in ${wait} s` : "Trying now"}</span>
        <span className="banner-ago">lost {ago(now - lostAt)}</span>
        <button type="button" className="button" onClick={relay.retry} disabled={retryAt === null}>
          Try now
        </button>
      </p>
    </div>
  );
}
