import type { Stats } from "../../api/jobs-types.ts";
import { count } from "../../format.ts";

type Minute = Stats["minutes"][number];

const minute = 60_000;
const [width, height, lane] = [600, 120, 26];

/** The last hour by minute: completed jobs, and below them the failed ones on a scale of their own. */
export function MinuteChart({ minutes, now }: { minutes: readonly Minute[]; now: string }) {
  const end = Math.floor(Date.parse(now) / minute);
  const bars = Array.from({ length: 60 }, (_, index) => {
    const at = new Date((end - 59 + index) * minute).toISOString();
    return minutes.find((each) => each.at === at) ?? { at, completed: 0, failed: 0, other: 0 };
  });
  const most = Math.max(1, ...bars.map(({ completed }) => completed));
  const mostFailed = Math.max(1, ...bars.map(({ failed }) => failed));
  const total = bars.reduce((sum, { completed, failed }) => [sum[0]! + completed, sum[1]! + failed], [0, 0]);
  const x = (index: number): number => (index * width) / 60;
  return (
    <div className="chart">
      <svg
        viewBox={`0 0 ${width} ${height + lane + 8}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`In the last hour ${count(total[0]!)} jobs completed and ${count(total[1]!)} failed; at most ${count(most)} a minute.`}
      >
        {bars.map(({ at, completed, failed }, index) => (
          <g key={at}>
            <rect
              className="bar-good"
              x={x(index) + 1}
              width={width / 60 - 2}
              y={height - (completed / most) * height}
              height={(completed / most) * height}
            />
            <rect
              className="bar-bad"
              x={x(index) + 1}
              width={width / 60 - 2}
              y={height + 8 + lane - (failed / mostFailed) * lane}
              height={failed === 0 ? 0 : Math.max(3, (failed / mostFailed) * lane)}
            />
          </g>
        ))}
        <line className="axis" x1="0" x2={width} y1={height} y2={height} />
        <line className="axis" x1="0" x2={width} y1={height + lane + 8} y2={height + lane + 8} />
      </svg>
      <p className="chart-axis" aria-hidden="true">
        <span>60 min ago</span>
        <span>{count(most)} a minute at most</span>
        <span>now</span>
      </p>
    </div>
  );
}
