import { useState } from "react";
import { useStore } from "../state/store";
import { Copy } from "./icons";
import { LampArt } from "./accessory/LampArt";

/** No device yet: what to do about it. */
export function Empty({ only }: { only: string | null }) {
  const demo = useStore((state) => state.demo);
  return (
    <div className="empty" data-testid="empty">
      <LampArt lit={false} level={null} />
      <h2>{only === null ? "No device has connected yet" : `${only} has not connected yet`}</h2>
      <p>Start an agent on a Raspberry Pi. It appears here as soon as it connects.</p>
      {!demo && <Command text="pi-relay token add pi-1 --role device" note="Here, for the token that the agent needs:" />}
      <Command text="pi-agent run" note="On the Pi:" />
      <Command text="PI_AGENT_HARDWARE__MODE=simulated pi-agent run" note="Or on any machine, with a simulated room:" />
    </div>
  );
}

function Command({ text, note }: { text: string; note: string }) {
  const [copied, setCopied] = useState(false);
  // There is no clipboard outside a secure context, such as a relay on the LAN without TLS.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  return (
    <div className="empty-command">
      <p>{note}</p>
      <div>
        <code>{text}</code>
        {clipboard && (
          <button
            type="button"
            className="icon-button"
            aria-label={`Copy ${text}`}
            title={copied ? "Copied" : "Copy"}
            onClick={() => void clipboard.writeText(text).then(() => setCopied(true))}
          >
            <Copy />
          </button>
        )}
      </div>
    </div>
  );
}
