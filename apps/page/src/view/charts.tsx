import type { JSX } from "preact";
import { formatBytes, formatDuration, formatNumber, formatTime } from "../model/format.js";
import type { History, Sample } from "../model/history.js";
import { Chart } from "./chart.js";
import type { ChartContent } from "./chart-content.js";

const perSecond = (value: number): string => `${formatBytes(value)}/s`;

const charts: readonly ChartContent[] = [
  {
    title: "Connections",
    series: [
      { label: "open", value: (one: Sample) => one.open, format: formatNumber },
      { label: "accepted per second", value: (one: Sample) => one.accepted, format: formatNumber },
    ],
    least: 4,
  },
  {
    title: "Throughput",
    series: [
      { label: "to clients", value: (one: Sample) => one.toClients, format: perSecond },
      { label: "from clients", value: (one: Sample) => one.toEndpoints, format: perSecond },
    ],
    least: 1_000,
  },
  {
    title: "Dial latency",
    series: [
      { label: "mean", value: (one: Sample) => one.dialMean, format: formatDuration },
      { label: "slowest, at most", value: (one: Sample) => one.dialMost, format: formatDuration },
    ],
    least: 1,
    points: true,
    note: "From accept to connection. There are values only where clients connected.",
  },
  {
    title: "Waiting clients",
    series: [{ label: "waiting", value: (one: Sample) => one.waiting, format: formatNumber }],
    least: 4,
    note: "Clients that wait for an answer for longer than the stall timeout.",
  },
];

interface Props {
  readonly history: Pick<History, "samples" | "since">;
  readonly now: number;
}

export function Charts({ history: { samples, since }, now }: Props): JSX.Element {
  return (
    <section aria-labelledby="charts">
      <h2 id="charts">Last minutes</h2>
      {since !== undefined && (
        <p class="hint">
          The charts begin at {formatTime(since, now)}, when this page was opened, and keep five minutes.
        </p>
      )}
      <div class="charts">
        {charts.map(chart => (
          <Chart key={chart.title} {...chart} samples={samples} now={now} />
        ))}
      </div>
    </section>
  );
}
