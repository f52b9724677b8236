import "../styles/base.css";
import "./reference.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { restoreTheme } from "../theme";
import { Reference } from "./Reference";

restoreTheme();

const root = document.getElementById("root");
if (!root) throw new Error("reference.html has no element #root");
createRoot(root).render(
  <StrictMode>
    <Reference />
  </StrictMode>,
);
