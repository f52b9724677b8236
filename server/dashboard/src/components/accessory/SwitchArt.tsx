/** A contact that is open or closed, as a circuit diagram draws it. Decoration only. */

export function SwitchArt({ on }: { on: boolean }) {
  return (
    <div className="switch-art" data-on={on} aria-hidden="true">
      <svg viewBox="0 0 120 100" focusable="false">
        <path className="contact-wire" d="M8 62h26M86 62h26" />
        <path className="contact-lever" d="M40 62h46" />
        <circle className="contact-end" cx="38" cy="62" r="5" />
        <circle className="contact-end" cx="86" cy="62" r="5" />
        <path className="contact-field" d="M50 82h24M56 89h12" />
      </svg>
    </div>
  );
}
