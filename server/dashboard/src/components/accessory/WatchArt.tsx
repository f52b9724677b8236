/** A motion sensor and the fan that it watches. Decoration only. */

/** The rings of the fan, by radius. */
const RINGS = [26, 42, 58];

/** A quarter-and-a-half arc over the sensor, open upwards. */
function arc(radius: number): string {
  const dx = radius * Math.sin(Math.PI / 3);
  const dy = radius * Math.cos(Math.PI / 3);
  return `M${(60 - dx).toFixed(1)} ${(78 - dy).toFixed(1)}A${radius} ${radius} 0 0 1 ${(60 + dx).toFixed(1)} ${(78 - dy).toFixed(1)}`;
}

export function WatchArt({ watching, motion }: { watching: boolean; motion: boolean }) {
  return (
    <div className="watch-art" data-watching={watching} data-motion={watching && motion} aria-hidden="true">
      <svg viewBox="0 0 120 100" focusable="false">
        <path className="watch-fan" d="M60 78 9.8 49A58 58 0 0 1 110.2 49Z" />
        {RINGS.map((radius, index) => (
          <path key={radius} className={`watch-ring watch-ring-${index}`} d={arc(radius)} />
        ))}
        <path className="watch-body" d="M46 84a14 14 0 0 1 28 0zM41 84h38v6H41z" />
        <path className="watch-facets" d="M53 73.5 51 84M60 70v14M67 73.5 69 84M47.5 79h25" />
      </svg>
    </div>
  );
}
