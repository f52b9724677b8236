import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/device.css";
import "./styles/accessory.css";
import "./styles/chart.css";
import "./styles/insight.css";
import "./styles/view.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./components/App";
import { ControlsContext, Operator } from "./link/operator";
import { Relay } from "./link/relay";
import { store } from "./state/store";
import { restoreTheme } from "./theme";

restoreTheme();

const only = new URLSearchParams(location.search).get("device");
const relay = new Relay(store, only);
const controls = { relay, operator: new Operator(store, relay) };

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element #root");
createRoot(root).render(
  <StrictMode>
    <ControlsContext value={controls}>
      <App only={only} />
    </ControlsContext>
  </StrictMode>,
);
relay.connect();
