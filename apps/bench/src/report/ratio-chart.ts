import { type CustomSeriesRenderItem, faint, ink, number, plotTop } from "@gw/report";
import type { Results, Row } from "../results.js";
import { colourOf, draw } from "./drawing.js";
import { ratio, reference, times } from "./format.js";
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
    height: plotTop + rows * pitch,
  };
  const at = (n: number): { readonly left: number; readonly top: number } => ({
    left: 20 + (n % panel.columns) * panel.width,
    top: plotTop + Math.floor(n / panel.columns) * pitch,
  });
  const heading = {
    title: "gw next to its peers",
    subtitle: "Medians of interleaved rounds, with their spread; × is the ratio to etcd gateway",
  };
  const plots = {
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
  };
  return draw(results, { ...heading, size, plots });
}

function panelTitle({ title, figure }: Headline): object {
  const direction = figure.better === "more" ? "more is better" : "less is better";
  return {
    text: `${title}${figure.unit && `, ${figure.unit}`}`,
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
  }));
  const spread = rows.map((one, index) => [one?.min ?? 0, one?.max ?? 0, index]);
  const renderItem = whisker(rows.map(one => labelOf(results, one)));
  return [
    { type: "bar", ...axes, data, barWidth: 12 },
    { type: "custom", ...axes, data: spread, renderItem, encode: { x: [0, 1], y: 2 }, z: 5 },
  ];
}

function labelOf(results: Results, row: Row | undefined): string {
  if (!row) return "not measured";
  if (row.median === undefined) return "failed";
  const comparison = row.subject === reference ? "" : times(ratio(results, row));
  return `${number(row.median)}  ${comparison}`;
}

/** A line from the least to the most of the rounds, and the label behind both it and the bar. */
function whisker(labels: readonly string[]): CustomSeriesRenderItem {
  return (_, api) => {
    const index = Number(api.value(2));
    const [x1 = 0, y = 0] = api.coord([api.value(0), index]);
    const [x2 = 0] = api.coord([api.value(1), index]);
    const label = { text: labels[index] ?? "", x: x2 + 8, y, fill: ink, fontSize: 11 };
    return {
      type: "group",
      children: [
        { type: "line", shape: { x1, y1: y, x2, y2: y }, style: { stroke: ink, lineWidth: 1 } },
        { type: "text", style: { ...label, textVerticalAlign: "middle" } },
      ],
    };
  };
}
