import { daytime, epoch, longDay } from "../../format";
import { lineOf, type LogRecord } from "../../why/record";

interface Props {
  record: LogRecord;
  titleOf: (accessory: string) => string;
  /** It is the first of its day. */
  newDay: boolean;
  /** The start of today, epoch ms. */
  today: number;
}

/** One line: when, what, why; the code and the command for those who look closer. */
export function LogLine({ record, titleOf, newDay, today }: Props) {
  const at = epoch(record.at) ?? 0;
  const { tone, what, why, code, command } = lineOf(record, titleOf);
  return (
    <>
      {newDay && (
        <li className="why-day">
          <h3>{longDay(at, today)}</h3>
        </li>
      )}
      <li className="why-line" data-kind={record.kind} data-tone={tone}>
        <time dateTime={record.at}>{daytime(at)}</time>
        <span className="why-mark" aria-hidden="true" />
        <div>
          <p className="why-what">{what}</p>
          {(why || code) && (
            <p className="why-why">
              {why} {code && <code>{code}</code>}
            </p>
          )}
          {command && (
            <p className="why-command" title="The command's id">
              {command}
            </p>
          )}
        </div>
      </li>
    </>
  );
}
