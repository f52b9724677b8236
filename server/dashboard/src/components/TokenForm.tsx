import { useEffect, useRef, useState, type FormEvent } from "react";
import { HttpError, login } from "../link/http";
import { useControls } from "../link/operator";
import { useStore } from "../state/store";
import { Spinner } from "./icons";

/** Asks for the token once; afterwards a cookie that no script can read carries it. */
export function TokenForm() {
  const { relay } = useControls();
  const link = useStore((state) => state.link);
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState("");
  const said = link.state === "unauthenticated" ? link.message : "";

  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setTrouble("");
    try {
      await login(token.trim());
      relay.connect();
    } catch (error) {
      setTrouble(error instanceof HttpError ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <main className="gate">
      <form
        className="gate-form"
        onSubmit={(event) => void submit(event)}
        aria-busy={busy}
        data-testid="token-form"
      >
        <h2>This relay asks for a token</h2>
        <p>
          Whoever runs it makes one with <code>pi-relay token add NAME --role viewer</code>, or <code>operator</code> to
          switch things too.
        </p>
        <label htmlFor="token">Token</label>
        <input
          id="token"
          ref={input}
          type="password"
          autoComplete="current-password"
          value={token}
          onChange={(event) => setToken(event.target.value)}
          aria-describedby="token-note"
          aria-invalid={trouble !== ""}
          required
          data-testid="token-input"
        />
        <p id="token-note" className="gate-note" role="alert" data-bad={trouble !== ""}>
          {trouble || said}
        </p>
        <button type="submit" className="button button-main" disabled={busy || token.trim() === ""} data-testid="token-submit">
          {busy && <Spinner />}
          Sign in
        </button>
      </form>
    </main>
  );
}
