import { drawChart, faint, ink, plotTop } from "@gw/report";
import type { Curves, Results, RunResult } from "../results.js";
import { scenarios } from "../scenarios.js";

const plot = { width: 250, height: 120, gap: 62, left: 60 } as const;
/** Colours that are distinct on white, also for colour-blind readers; ten members at most. */
const colours = [
  "#0b6e4f",
  "#c1440e",
  "#2b59c3",
  "#b08900",
  "#8a6fae",
  "#5fb49c",
  "#e58a5f",
  "#7a9cf0",
  "#d9bc4a",
  "#9aa0a6",
];

/** A row of plots for each scenario in which something happens. */
const columns = [
  { title: "share of connections, %", linesOf: ({ shares }: Curves) => Object.values(shares).map(percent) },
  { title: "reconnects /s", linesOf: ({ reconnects }: Curves) => [reconnects] },
  { title: "check requests /s", linesOf: ({ requests }: Curves) => [requests] },
  { title: "DNS queries /s", linesOf: ({ dns }: Curves) => [dns] },
] as const;

/** How each scenario goes on: shares, reconnects, requests and DNS queries over time. */
export function scenarioChart(results: Results): string {
  const runs = results.runs.filter(({ scenario }) => scenario !== "idle");
  const pitch = { x: plot.width + plot.left, y: plot.height + plot.gap };
  const cells = runs.flatMap((run, row) =>
    columns.map((column, index) => ({
      run,
      ...column,
      left: plot.left + index * pitch.x,
      top: plotTop + 24 + row * pitch.y,
    })),
  );
  return drawChart({
    title: "A fleet and its cluster",
    subtitle: `Each line of a member is its share of all connections; the rest are the worst second of ${runs[0]?.curves.stepSeconds ?? 0}`,
    size: { width: columns.length * pitch.x + 20, height: plotTop + runs.length * pitch.y },
    footer: [
      `${results.gateways.toLocaleString("en")} gateways, seed ${results.seed}, commit ${results.commit}`,
    ],
    plots: {
      title: cells.map(({ run, title, left, top }) => ({
        text: left === plot.left ? `${titleOf(run)}: ${title}` : title,
        left: left - 40,
        top: top - 26,
        textStyle: { fontSize: 11, color: ink },
      })),
      grid: cells.map(({ left, top }) => ({ left, top, width: plot.width, height: plot.height })),
      xAxis: cells.map(({ run }, gridIndex) => ({
        gridIndex,
        type: "value",
        max: run.seconds / 60,
        axisLabel: { color: faint, fontSize: 10, formatter: "{value} min" },
        splitLine: { show: false },
      })),
      yAxis: cells.map((_, gridIndex) => ({
        gridIndex,
        type: "value",
        min: 0,
        axisLabel: { color: faint, fontSize: 10, formatter: (value: number) => value.toLocaleString("en") },
      })),
      series: cells.flatMap(({ run, linesOf }, index) =>
        linesOf(run.curves).map((values, line) => ({
          type: "line",
          xAxisIndex: index,
          yAxisIndex: index,
          symbol: "none",
          lineStyle: { width: 1.5 },
          color: colours[line % colours.length],
          data: values.map((value, step) => [(step * run.curves.stepSeconds) / 60, value]),
        })),
      ),
    },
  });
}

function titleOf({ scenario, setUp }: RunResult): string {
  return `${scenarios.find(({ name }) => name === scenario)?.title ?? scenario} (${setUp})`;
}

function percent(shares: readonly number[]): readonly number[] {
  return shares.map(share => Math.round(share * 1_000) / 10);
}
