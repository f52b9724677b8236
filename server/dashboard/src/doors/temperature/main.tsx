import "../../styles/base.css";
import "../../styles/shell.css";
import "../door.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { restoreTheme } from "../../theme";
import { wire } from "../wire";
import { TemperaturePage } from "./TemperaturePage";

restoreTheme();
const socket = wire(null);
const root = document.getElementById("root");
if (!root) throw new Error("temperature.html has no element #root");
createRoot(root).render(
  <StrictMode>
    <TemperaturePage socket={socket} />
  </StrictMode>,
);
socket.connect();
