import type { CustomSeriesRenderItem } from "echarts";
import type { Results, Row } from "../results.js";
import { colourOf, draw, faint, footer, frame, ink } from "./drawing.js";
import { number, ratio, reference, times } from "./format.js";
import { type Headline, headlinesOf } from "./headlines.js";
import { titleOf } from "./text.js";

const panel = { columns: 3, width: 350, title: 34, bar: 19, gap: 26, names: 104 } as const;

/** A panel of bars for each headline: the median, its ratio to `etcd gateway`, and the spread of the rounds. */
export function ratioChart(results: Results): string {
  const headlines = headlinesOf(results);
  const subjects = results.subjects.map(({ name }) => name).filter(name => name !== "direct");
  const bars = subjects.length * panel.bar;
  const pitch = panel.title + bars + panel.gap;
  const rows = Math.ceil(headlines.length / panel.columns);
  const size = {
    width: panel.columns * panel.width + 20,
    height: frame.top + rows * pitch + footer(results).length * frame.lineHeight + 20,
  };
  const at = (n: number): { readonly left: number; readonly top: number } => ({
    left: 20 + (n % panel.columns) * panel.width,
    top: frame.top + Math.floor(n / panel.columns) * pitch,
  });
  const heading = {
    title: "gw next to its peers",
    subtitle: `Medians of ${results.settings.rounds} interleaved rounds, with their spread; × is the ratio to etcd gateway`,
  };
  return draw(results, size, heading, {
    title: headlines.map((headline, n) => ({ ...at(n), ...panelTitle(headline) })),
    grid: headlines.map((_, n) => ({
      left: at(n).left + panel.names,
      top: at(n).top + panel.title,
      width: panel.width - panel.names - 120,
      height: bars,
    })),
    xAxis: headlines.map((_, n) => ({ gridIndex: n, type: "value", min: 0, show: false })),
    yAxis: headlines.map((headline, n) => ({
      gridIndex: n,
      type: "category",
      inverse: true,
      data: subjects.map(subject => titleOf(results, subject)),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: ink, fontSize: 11, interval: 0 },
      // Only so that a subject that was not measured keeps its line.
      name: headline.row(subjects[0] ?? "") ? "" : " ",
    })),
    series: headlines.flatMap((headline, n) => barsOf(results, headline, subjects, n)),
  });
}

function panelTitle({ title, figure }: Headline): object {
  const direction = figure.better === "more" ? "more is better" : "less is better";
  return {
    text: `${title.replace("… ", "")}${figure.unit && `, ${figure.unit}`}`,
    subtext: direction,
    itemGap: 2,
    textStyle: { fontSize: 12, color: ink },
    subtextStyle: { fontSize: 10, color: faint },
  };
}

function barsOf(results: Results, { row }: Headline, subjects: readonly string[], n: number): object[] {
  const rows = subjects.map(row);
  const axes = { xAxisIndex: n, yAxisIndex: n };
  const data = rows.map((one, index) => ({
    value: one?.median ?? 0,
    itemStyle: { color: colourOf(subjects[index] ?? "") },
    label: { formatter: labelOf(results, one) },
  }));
  const label = { show: true, position: "right", color: ink, fontSize: 11, distance: 8 };
  const spread = rows.map((one, index) => [one?.min ?? 0, one?.max ?? 0, index]);
  return [
    { type: "bar", ...axes, data, barWidth: 12, label },
    { type: "custom", ...axes, data: spread, renderItem: whisker, encode: { x: [0, 1], y: 2 }, z: 5 },
  ];
}

function labelOf(results: Results, row: Row | undefined): string {
  if (!row) return "not measured";
  if (row.median === undefined) return "failed";
  const comparison = row.subject === reference ? "" : times(ratio(results, row));
  return `${number(row.median)}  ${comparison}`;
}

/** A line from the least to the most of the rounds. */
const whisker: CustomSeriesRenderItem = (_, api) => {
  const [x1 = 0, y = 0] = api.coord([api.value(0), api.value(2)]);
  const [x2 = 0] = api.coord([api.value(1), api.value(2)]);
  return {
    type: "line",
    shape: { x1, y1: y, x2, y2: y },
    style: { stroke: ink, lineWidth: 1, opacity: 0.7 },
  };
};

const curves = [
  { title: "Proxy CPU per round trip, µs", measure: "growth", figure: "cpu", x: "open connections" },
  { title: "Proxy memory, MB", measure: "growth", figure: "memory", x: "open connections" },
  { title: "gw: pick and release an endpoint, ns", measure: "pick", figure: "time", x: "endpoints" },
] as const;

/** How cost grows: with connections for all subjects, with endpoints for gw's pool. */
export function growthChart(results: Results): string {
  const width = 330;
  const plot = { top: frame.top + 70, height: 260 };
  const size = {
    width: curves.length * (width + 20) + 20,
    height: plot.top + plot.height + 60 + footer(results).length * frame.lineHeight + 20,
  };
  const heading = {
    title: "How cost grows",
    subtitle: `Medians of the rounds. Left and middle: 128 B request/response over all connections in turn, 10 under way at any time`,
  };
  const lines = curves.flatMap((curve, n) => linesOf(results, curve, n));
  const named = results.subjects.filter(({ name }) => lines.some(line => line.subject === name));
  const gridLeft = (n: number): number => 20 + n * (width + 20);
  return draw(results, size, heading, {
    title: curves.map(({ title }, n) => ({
      text: title,
      left: gridLeft(n),
      top: plot.top - 36,
      textStyle: { fontSize: 12, color: ink },
    })),
    legend: { top: frame.top, left: 15, data: named.map(({ title }) => title), textStyle: { color: ink } },
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
    yAxis: curves.map(({ measure }, n) => ({
      gridIndex: n,
      type: measure === "pick" ? "log" : "value",
      min: measure === "pick" ? undefined : 0,
      axisLabel: { color: ink, formatter: (value: number) => value.toLocaleString("en") },
    })),
    series: lines.map(({ subject: _, ...series }) => series),
  });
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
    // A case is called after its number: "8,000 open", "10,000 endpoints".
    data: rows
      .filter(row => row.subject === subject)
      .map(row => [Number.parseInt(row.case.replaceAll(",", ""), 10), row.median]),
  }));
}
