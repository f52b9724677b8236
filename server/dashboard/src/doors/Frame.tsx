import type { ReactNode } from "react";
import { Mark, Moon, Sun } from "../components/icons";
import { toggleTheme, useTheme } from "../theme";
import type { Standing } from "./wire";

const WORDS: Record<Standing, string> = {
  connecting: "Connecting",
  connected: "Live",
  reconnecting: "Offline",
  unauthenticated: "Signed out",
};

/** What every page of another door has around it: the way back, its name, the link, the theme. */
export function Frame({ title, standing, children }: { title: string; standing: Standing; children: ReactNode }) {
  const theme = useTheme();
  const other = theme === "dark" ? "light" : "dark";
  return (
    <div className="page">
      <header className="header">
        <p className="brand">
          <a href="/">
            <Mark />
            <span className="brand-word">Breathlight</span>
          </a>
        </p>
        <div className="header-end">
          <span className="link-pill" data-testid="connection" data-state={standing} role="status">
            <span className="dot" />
            <span className="link-word">{WORDS[standing]}</span>
          </span>
          <button type="button" className="icon-button" onClick={toggleTheme} aria-label={`Use the ${other} theme`} title={`Use the ${other} theme`}>
            {theme === "dark" ? <Sun /> : <Moon />}
          </button>
        </div>
      </header>
      <main>
        <h1 className="door-title">{title}</h1>
        {standing === "unauthenticated" && (
          <p className="door-note" role="alert">
            This relay asks for a token. <a href="/">Sign in</a>, then load this page again.
          </p>
        )}
        {children}
      </main>
    </div>
  );
}
