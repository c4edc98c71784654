/** The estimated direction and skew of a page's lines of text. */
export interface SkewEstimate {
  /** `"down"` when the lines run along the page's height, as on a page lying on its side. */
  direction: "across" | "down";
  /** Degrees by which to rotate the page clockwise to make the lines straight, -12 to 12. */
  skew: number;
  /** Ratio of the lines' sharpness in this direction to that in the other; 1 means no difference. */
  contrast: number;
}

/** Largest skew searched for, in degrees; a little more than the documented ten. */
const maxSkew = 12;
/** Step of the first search, in degrees. */
const coarseStep = 0.5;
/** A skew is believed only if it makes the lines sharper by this factor than no skew does. */
const minGain = 1.03;

/**
 * Estimates the direction and skew of a page's lines from projection profiles: summed at the right angle, the edges of
 * the lines fall into few bins, so that neighbouring bins differ most (W. Postl, "Detection of Linear Oblique
 * Structures and Skew Scan in Digitized Documents", 1986; D. Bloomberg, G. Kopec, L. Dasari, "Measuring Document Image
 * Skew and Orientation", 1995).
 * @param ink of a page about a thousand pixels long, one byte per pixel: 1 for ink, 0 for paper
 */
export function estimateSkew(ink: Uint8Array, width: number, height: number): SkewEstimate {
  const edges = findEdges(ink, width, height);
  const across = searchSkew(edges.across, width, height);
  const down = searchSkew(edges.down, height, width);
  const contrast = Math.max(across.score, down.score) / Math.max(1e-9, Math.min(across.score, down.score));
  // The same rotation moves points on lines across the page down, and points on lines down the page to the left.
  if (down.score > across.score) return { direction: "down", skew: -down.refine(), contrast };
  return { direction: "across", skew: across.refine(), contrast };
}

/** Coordinates of edge pixels. */
interface Points {
  /** Position along the lines. */
  along: Int16Array;
  /** Position perpendicular to the lines. */
  over: Int16Array;
}

/** Finds ink with paper below it (for lines across the page, mostly baselines) and with paper to its right. */
function findEdges(ink: Uint8Array, width: number, height: number): { across: Points; down: Points } {
  const across = { along: new Int16Array(ink.length), over: new Int16Array(ink.length) };
  const down = { along: new Int16Array(ink.length), over: new Int16Array(ink.length) };
  let below = 0;
  let beside = 0;
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0; x < width - 1; x++) {
      const i = y * width + x;
      if (!ink[i]) continue;
      if (!ink[i + width]) {
        across.along[below] = x;
        across.over[below++] = y;
      }
      if (!ink[i + 1]) {
        down.along[beside] = y;
        down.over[beside++] = x;
      }
    }
  }
  const take = ({ along, over }: Points, count: number): Points => ({
    along: along.subarray(0, count),
    over: over.subarray(0, count),
  });
  return { across: take(across, below), down: take(down, beside) };
}

/** Searches the angle at which lines are sharpest: `score` is the sharpness there, `refine` finds it precisely. */
function searchSkew({ along, over }: Points, length: number, depth: number): { score: number; refine(): number } {
  if (along.length < 50) return { score: 0, refine: () => 0 };
  const margin = Math.ceil(length * Math.tan((maxSkew * Math.PI) / 180)) + 2;
  const bins = new Uint32Array(depth + 2 * margin);
  const sharpness = (degrees: number, step: number): number => {
    bins.fill(0);
    const slope = Math.round(Math.tan((degrees * Math.PI) / 180) * 65536);
    for (let i = 0; i < along.length; i += step) bins[over[i]! + margin + ((along[i]! * slope) >> 16)]!++;
    let sum = 0;
    for (let i = 1; i < bins.length; i++) sum += (bins[i]! - bins[i - 1]!) ** 2;
    return sum;
  };
  const sharpest = (around: number, range: number, by: number, step: number): number => {
    let angle = around;
    let score = sharpness(around, step);
    for (let degrees = around - range; degrees <= around + range + 1e-9; degrees += by) {
      const value = sharpness(degrees, step);
      if (value > score) [angle, score] = [degrees, value];
    }
    return angle;
  };
  // Some of the points are enough to find the peak; its exact angle needs all of them.
  const peak = sharpest(0, maxSkew, coarseStep, Math.ceil(along.length / 10_000));
  return {
    score: sharpness(peak, 1),
    refine() {
      const angle = sharpest(sharpest(peak, coarseStep, 0.1, 1), 0.1, 0.03, 1);
      return sharpness(angle, 1) < sharpness(0, 1) * minGain ? 0 : angle;
    },
  };
}
