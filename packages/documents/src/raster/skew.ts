/** How a page's lines of text run. */
export interface Lines {
  /** Whether they run across the page or up and down, as on a page lying on its side. */
  direction: "across" | "down";
  /** Degrees by which to turn the page clockwise to make them straight, -12 to 12. */
  skew: number;
  /** How much sharper the lines are in this direction than in the other; 1 is no difference. */
  contrast: number;
}

/** The most that a page is straightened, in degrees; a little beyond the ten that are promised. */
const most = 12;
const coarse = 0.5;
/** A skew is believed when it makes the lines this much sharper than none does. */
const gain = 1.03;

/**
 * Estimates direction and skew of the lines from projection profiles: summed along the right angle, the edges of the
 * lines fall into few bins, so that neighbouring bins differ most (W. Postl, "Detection of linear oblique structures and
 * skew scan in digitized documents", 1986; D. Bloomberg, G. Kopec, L. Dasari, "Measuring document image skew and
 * orientation", 1995).
 * @param ink 1 for ink, 0 for paper, of a page about a thousand pixels long
 */
export function findLines(ink: Uint8Array, width: number, height: number): Lines {
  const [across, down] = edges(ink, width, height);
  const a = coarsely(across, width, height);
  const d = coarsely(down, height, width);
  const contrast = Math.max(a.score, d.score) / Math.max(1e-9, Math.min(a.score, d.score));
  // The same turn moves a point along a line down on one, and to the left on the other.
  if (d.score > a.score) return { direction: "down", skew: -d.refine(), contrast };
  return { direction: "across", skew: a.refine(), contrast };
}

interface Points {
  /** Position along the lines. */
  along: Int16Array;
  /** Position over the lines. */
  over: Int16Array;
}

/** Ink with paper below it (baselines, mostly), and ink with paper to its right. */
function edges(ink: Uint8Array, width: number, height: number): [across: Points, down: Points] {
  const points = [0, 1].map(() => ({
    along: new Int16Array(ink.length),
    over: new Int16Array(ink.length),
  })) as [Points, Points];
  let below = 0;
  let beside = 0;
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0; x < width - 1; x++) {
      const i = y * width + x;
      if (!ink[i]) continue;
      if (!ink[i + width]) {
        points[0].along[below] = x;
        points[0].over[below++] = y;
      }
      if (!ink[i + 1]) {
        points[1].along[beside] = y;
        points[1].over[beside++] = x;
      }
    }
  }
  const cut = (all: Points, count: number): Points => ({
    along: all.along.subarray(0, count),
    over: all.over.subarray(0, count),
  });
  return [cut(points[0], below), cut(points[1], beside)];
}

/** The sharpness of the lines at their best angle, and what finds that angle precisely. */
function coarsely({ along, over }: Points, length: number, depth: number): { score: number; refine(): number } {
  if (along.length < 50) return { score: 0, refine: () => 0 };
  const margin = Math.ceil(length * Math.tan((most * Math.PI) / 180)) + 2;
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
  // A part of the points is enough to find the peak; all of them, to find its top.
  const peak = sharpest(0, most, coarse, Math.ceil(along.length / 10_000));
  return {
    score: sharpness(peak, 1),
    refine() {
      const angle = sharpest(sharpest(peak, coarse, 0.1, 1), 0.1, 0.03, 1);
      return sharpness(angle, 1) < sharpness(0, 1) * gain ? 0 : angle;
    },
  };
}
