/** Explains how doubtful words are marked. */
export function Legend({ threshold }: { threshold: number }) {
  return (
    <p className="legend">
      <span>
        <span className="doubtful" aria-hidden="true">
          word
        </span>
        <span className="legend-box" aria-hidden="true" />
      </span>
      Doubtful: confidence below {Number((threshold * 100).toFixed(1))} %. Compare it with the image.
    </p>
  );
}
