import { faint, ink, plotTop } from "@gw/report";
import type { Results } from "../results.js";
import { colourOf, draw } from "./drawing.js";
import { titleOf } from "./text.js";

const curves = [
  { title: "Proxy CPU per round trip, µs", measure: "growth", figure: "cpu", x: "open connections" },
  { title: "Proxy memory, MB", measure: "growth", figure: "memory", x: "open connections" },
  { title: "gw: pick and release an endpoint, µs", measure: "pick", figure: "time", x: "endpoints" },
] as const;

/** How cost grows: with connections for all subjects, with endpoints for gw's pool. */
export function growthChart(results: Results): string {
  const width = 330;
  const plot = { top: plotTop + 70, height: 260 };
  const size = { width: curves.length * (width + 20) + 20, height: plot.top + plot.height + 60 };
  const heading = {
    title: "How cost grows",
    subtitle: `Medians of the rounds. Left and middle: 128 B request/response over all connections in turn, 10 under way at any time`,
  };
  const lines = curves.flatMap((curve, n) => linesOf(results, curve, n));
  const named = results.subjects.filter(({ name }) => lines.some(line => line.subject === name));
  const gridLeft = (n: number): number => 20 + n * (width + 20);
  const plots = {
    title: curves.map(({ title }, n) => ({
      text: title,
      left: gridLeft(n),
      top: plot.top - 36,
      textStyle: { fontSize: 12, color: ink },
    })),
    legend: {
      top: plotTop,
      left: 15,
      itemGap: 28,
      data: named.map(({ title }) => title),
      textStyle: { color: ink },
    },
    grid: curves.map((_, n) => ({
      left: gridLeft(n) + 48,
      top: plot.top,
      width: width - 58,
      height: plot.height,
    })),
    xAxis: curves.map(({ x }, n) => ({
      gridIndex: n,
      type: "log",
      name: x,
      nameLocation: "middle",
      nameGap: 28,
      nameTextStyle: { color: faint },
      axisLabel: { color: ink, formatter: (value: number) => value.toLocaleString("en") },
      splitLine: { show: false },
    })),
    yAxis: curves.map((_, n) => ({
      gridIndex: n,
      type: "value",
      min: 0,
      axisLabel: { color: ink, formatter: (value: number) => value.toLocaleString("en") },
    })),
    series: lines.map(({ subject: _, ...series }) => series),
  };
  return draw(results, { ...heading, size, plots });
}

function linesOf(results: Results, { measure, figure }: (typeof curves)[number], n: number) {
  const rows = results.rows.filter(row => row.measure === measure && row.figure === figure);
  return [...new Set(rows.map(({ subject }) => subject))].map(subject => ({
    subject,
    type: "line" as const,
    name: titleOf(results, subject),
    xAxisIndex: n,
    yAxisIndex: n,
    symbol: "circle",
    symbolSize: 7,
    lineStyle: { width: subject.startsWith("gw") ? 3 : 2 },
    color: colourOf(measure === "pick" ? "gw-native" : subject),
    // The name of a case begins with its number: "8,000 open", "10,000 endpoints".
    data: rows
      .filter(row => row.subject === subject)
      .map(row => [Number.parseInt(row.case.replaceAll(",", ""), 10), row.median]),
  }));
}
