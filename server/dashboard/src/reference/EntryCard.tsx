/** One entry: closed it says what it is, open everything. */

import { useState } from "react";
import { example, type Names } from "./examples";
import { Fields } from "./Fields";
import type { Entry } from "./model";

export function EntryCard({ entry, names, open }: { entry: Entry; names: Names; open: boolean }) {
  const [isOpen, setOpen] = useState(open);
  return (
    <details className="ref-entry" id={entry.id} open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)} data-testid="entry">
      <summary>
        <span className="ref-badge" data-tone={entry.tone}>{entry.badge}</span>
        <code className="ref-title">{entry.title}</code>
        <span className="ref-summary">{entry.summary}</span>
      </summary>
      {isOpen ? <Body entry={entry} names={names} /> : null}
    </details>
  );
}

function Body({ entry, names }: { entry: Entry; names: Names }) {
  return (
    <div className="ref-body">
      <p className="ref-facts">
        {entry.facts.map(([name, value]) => (
          <span key={name}><b>{name}</b> {value}</span>
        ))}
      </p>
      <Example entry={entry} names={names} />
      {entry.parameters.length > 0 ? (
        <section>
          <h4>Parameters</h4>
          <Fields
            schema={{
              properties: Object.fromEntries(
                entry.parameters.map((one) => [one.name, { ...one.schema, ...(one.description ? { description: one.description } : {}) }]),
              ),
              required: entry.parameters.filter((one) => one.required).map((one) => one.name),
            }}
            schemas={entry.schemas}
          />
        </section>
      ) : null}
      {entry.body ? <section><h4>Body</h4><Fields schema={entry.body} schemas={entry.schemas} /></section> : null}
      {entry.answers.length > 0 ? (
        <section>
          <h4>Answers</h4>
          {entry.answers.map((answer) => (
            <details key={answer.status} className="ref-answer">
              <summary><span className="ref-status" data-ok={answer.ok}>{answer.status}</span> {answer.description.replaceAll("`", "")}</summary>
              {answer.schema ? <Fields schema={answer.schema} schemas={entry.schemas} /> : null}
            </details>
          ))}
        </section>
      ) : null}
    </div>
  );
}

function Example({ entry, names }: { entry: Entry; names: Names }) {
  const { language, text } = example(entry, names);
  const [copied, setCopied] = useState(false);
  return (
    <figure className="ref-example">
      <pre><code data-testid="example" data-language={language} data-entry={entry.id}>{text}</code></pre>
      <button type="button" onClick={() => { setCopied(copy(text)); setTimeout(() => setCopied(false), 1500); }}>
        {copied ? "Copied" : "Copy"}
      </button>
    </figure>
  );
}

/** The clipboard needs a secure context, and a relay on a LAN may not have one. */
function copy(text: string): boolean {
  if (navigator.clipboard) {
    void navigator.clipboard.writeText(text);
    return true;
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
