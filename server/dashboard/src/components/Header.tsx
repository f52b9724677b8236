import { logout } from "../link/http";
import { useControls } from "../link/operator";
import { hrefOf } from "../link/route";
import { useStore } from "../state/store";
import { toggleTheme, useTheme } from "../theme";
import { BellLink } from "./alerts/BellLink";
import { Leave, Mark, Moon, Sun } from "./icons";

const LINK_WORDS = {
  connecting: "Connecting",
  connected: "Live",
  reconnecting: "Offline",
  unauthenticated: "Signed out",
} as const;

/** Name, link, theme; the mark is lit while any light is reported on. */
export function Header() {
  const theme = useTheme();
  const link = useStore((state) => state.link.state);
  const lit = useStore(
    (state) =>
      link === "connected" && Object.values(state.devices).some((one) => one.online && one.accessories["breath_light"]?.reported),
  );
  const demo = useStore((state) => state.demo);
  const role = useStore((state) => state.role);
  const count = useStore((state) => Object.keys(state.devices).length);
  const online = useStore((state) => Object.values(state.devices).filter((device) => device.online).length);
  const other = theme === "dark" ? "light" : "dark";
  return (
    <header className="header">
      <h1 className="brand" data-lit={lit}>
        <a href={hrefOf({ view: "devices" })}>
          <Mark />
          Breathlight
        </a>
      </h1>
      {count > 1 && link === "connected" && (
        <p className="header-summary">
          {online} of {count} online
        </p>
      )}
      <div className="header-end">
        {demo && (
          <span className="badge" title="Open to this machine alone, without tokens">
            demo
          </span>
        )}
        {role === "viewer" && (
          <span className="badge" title="Your token may look, not switch">
            viewer
          </span>
        )}
        <span className="link-pill" data-testid="connection" data-state={link} role="status">
          <span className="dot" />
          <span className="link-word">{LINK_WORDS[link]}</span>
        </span>
        {link !== "unauthenticated" && <BellLink />}
        <button type="button" className="icon-button" onClick={toggleTheme} aria-label={`Use the ${other} theme`} title={`Use the ${other} theme`}>
          {theme === "dark" ? <Sun /> : <Moon />}
        </button>
        {!demo && role !== null && link !== "unauthenticated" && <LogOut />}
      </div>
    </header>
  );
}

function LogOut() {
  const { relay } = useControls();
  const leave = () => {
    logout().then(
      () => relay.leave("You are signed out."),
      () => relay.leave("The relay could not be told; close the browser to be sure."),
    );
  };
  return (
    <button type="button" className="icon-button" onClick={leave} aria-label="Sign out" title="Sign out" data-testid="sign-out">
      <Leave />
    </button>
  );
}
