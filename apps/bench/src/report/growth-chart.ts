import { faint, ink, plotTop } from "@gw/report";
import type { Results } from "../results.js";
import { colourOf, draw } from "./drawing.js";
import { titleOf } from "./text.js";

/** In the order of the panels. Those that a run has not measured are left out. */
const curves = [
  { title: "Proxy CPU per round trip, µs", measure: "growth", figure: "cpu", x: "open connections" },
  { title: "Proxy memory, MB", measure: "growth", figure: "memory", x: "open connections" },
  { title: "gw: pick and release an endpoint, µs", measure: "pick", figure: "time", x: "endpoints" },
  { title: "New connections, /s", measure: "threads", figure: "rate", x: "threads" },
  { title: "Proxy CPU per new connection, µs", measure: "endpoints", figure: "cpu", x: "endpoints" },
  { title: "Proxy CPU per new connection, µs", measure: "open", figure: "cpu", x: "open connections" },
] as const;

/** Sizes in pixels; the legend above the panels may have two lines. */
const panel = { columns: 3, width: 350, title: 36, plot: 260, axis: 64, legend: 60 } as const;

/** How cost grows with connections, endpoints and threads. */
export function growthChart(results: Results): string {
  const shown = curves.filter(({ measure }) => results.measures.some(({ name }) => name === measure));
  const pitch = panel.title + panel.plot + panel.axis;
  const size = {
    width: panel.columns * panel.width + 20,
    height: plotTop + panel.legend + Math.ceil(shown.length / panel.columns) * pitch,
  };
  const at = (n: number): { readonly left: number; readonly top: number } => ({
    left: 20 + (n % panel.columns) * panel.width,
    top: plotTop + panel.legend + Math.floor(n / panel.columns) * pitch,
  });
  const heading = {
    title: "How cost grows",
    subtitle: `Medians of the rounds. Round trips: 128 B over all connections in turn, 10 under way at any time`,
  };
  const lines = shown.flatMap((curve, n) => linesOf(results, curve, n));
  const named = results.subjects.filter(({ name }) => lines.some(line => line.subject === name));
  const plots = {
    title: shown.map(({ title }, n) => ({ ...at(n), text: title, textStyle: { fontSize: 12, color: ink } })),
    legend: {
      top: plotTop,
      left: 15,
      itemGap: 28,
      data: named.map(({ title }) => title),
      textStyle: { color: ink },
    },
    grid: shown.map((_, n) => ({
      left: at(n).left + 48,
      top: at(n).top + panel.title,
      width: panel.width - 78,
      height: panel.plot,
    })),
    xAxis: shown.map(({ x }, n) => ({
      gridIndex: n,
      type: "log",
      name: x,
      nameLocation: "middle",
      nameGap: 28,
      nameTextStyle: { color: faint },
      axisLabel: { color: ink, formatter: (value: number) => value.toLocaleString("en") },
      splitLine: { show: false },
    })),
    yAxis: shown.map((_, n) => ({
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
