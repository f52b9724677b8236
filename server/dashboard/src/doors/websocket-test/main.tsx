import "../../styles/base.css";
import "../../styles/shell.css";
import "../door.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { restoreTheme } from "../../theme";
import { Bench } from "./bench";
import { TestPage } from "./TestPage";

restoreTheme();
const bench = new Bench();
const root = document.getElementById("root");
if (!root) throw new Error("websocket-test.html has no element #root");
createRoot(root).render(
  <StrictMode>
    <TestPage bench={bench} />
  </StrictMode>,
);
bench.start();
