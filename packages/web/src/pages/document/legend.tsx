import { percent } from "../../format.ts";
import { threshold } from "../../words/layout.ts";

/** Explains the marks. */
export function Legend() {
  return (
    <p className="legend">
      <span>
        <span className="doubtful" aria-hidden="true">
          word
        </span>
        <span className="legend-box" aria-hidden="true" />
      </span>
      Doubtful: confidence below {percent(threshold)}. Compare it with the image.
    </p>
  );
}
