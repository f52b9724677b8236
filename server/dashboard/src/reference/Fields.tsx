/** A body: its fields with type, unit, range and meaning. What a field is made of opens on demand. */

import type { Schema, Schemas } from "./model";

export function Fields({ schema, schemas, depth = 0 }: { schema: Schema; schemas: Schemas; depth?: number }) {
  const known = resolved(schema, schemas);
  const about = known.description && depth === 0 ? <p className="ref-about">{known.description}</p> : null;
  if (!known.properties) return <>{about}<p className="ref-about"><code>{typeText(schema, schemas)}</code></p></>;
  const required = new Set(known.required);
  return (
    <>
      {about}
      <dl className="ref-fields">
        {Object.entries(known.properties).map(([name, field]) => {
          const inner = innerOf(field, schemas);
          return (
            <div key={name}>
              <dt>
                <code>{name}</code>
                {required.has(name) ? <span className="ref-required">required</span> : null}
              </dt>
              <dd>
                <span className="ref-type">{typeText(field, schemas)}</span> {notes(field, schemas)}
                {inner && depth < 3 ? (
                  <details>
                    <summary>{inner.title ?? "its fields"}</summary>
                    <Fields schema={inner} schemas={schemas} depth={depth + 1} />
                  </details>
                ) : null}
              </dd>
            </div>
          );
        })}
      </dl>
    </>
  );
}

function resolved(schema: Schema, schemas: Schemas): Schema {
  if (schema.$ref) return schemas[schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1)] ?? {};
  if (schema.allOf?.[0]) return resolved(schema.allOf[0], schemas);
  return schema;
}

function innerOf(schema: Schema, schemas: Schemas): Schema | null {
  for (const option of schema.anyOf ?? [schema]) {
    const known = resolved(option, schemas);
    if (known.properties) return known;
    if (known.items) {
      const item = innerOf(known.items, schemas);
      if (item) return item;
    }
  }
  return null;
}

function typeText(schema: Schema, schemas: Schemas): string {
  if (schema.anyOf) return schema.anyOf.map((option) => typeText(option, schemas)).join(" or ");
  const known = resolved(schema, schemas);
  if (known.enum) return known.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (known.const !== undefined) return JSON.stringify(known.const);
  if (known.type === "array") return `list of ${known.items ? typeText(known.items, schemas) : "values"}`;
  if (known.properties) return known.title ?? "object";
  return [known.type ?? "any"].flat().join(" or ");
}

function notes(schema: Schema, schemas: Schemas): string {
  const parts = (schema.anyOf ?? [schema]).flatMap((option) => {
    const known = option.$ref ? resolved(option, schemas) : option;
    return [
      known.properties ? "" : (known.description ?? ""),
      known.unit ? `in ${known.unit}` : "",
      known.minimum === undefined ? "" : `≥ ${known.minimum}`,
      known.exclusiveMinimum === undefined ? "" : `> ${known.exclusiveMinimum}`,
      known.maximum === undefined ? "" : `≤ ${known.maximum}`,
      known.maxLength === undefined ? "" : `at most ${known.maxLength} characters`,
    ];
  });
  if (schema.anyOf && schema.description) parts.unshift(schema.description);
  return parts.filter(Boolean).join("; ");
}
