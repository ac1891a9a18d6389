import { BarChart, CustomChart, LineChart } from "echarts/charts";
import { GraphicComponent, GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { Results } from "../results.js";
import { circumstances } from "./text.js";

use([
  BarChart,
  CustomChart,
  LineChart,
  GraphicComponent,
  GridComponent,
  LegendComponent,
  TitleComponent,
  SVGRenderer,
]);

/** Colours that are distinct on white, also for colour-blind readers. */
const colours: { readonly [subject: string]: string } = {
  "gw-native": "#0b6e4f",
  "gw-2-threads": "#5fb49c",
  "gw-js": "#8fb339",
  "gw-default": "#0b6e4f",
  "etcd-gateway": "#c1440e",
  haproxy: "#2b59c3",
  nginx: "#7a9cf0",
  "node-tcp-proxy": "#b08900",
  pipe: "#8a6fae",
  direct: "#9aa0a6",
};

export const ink = "#1f2328";
export const faint = "#59636e";

/** The colour of a subject, the same in all charts. */
export function colourOf(subject: string): string {
  return colours[subject] ?? faint;
}

/** Space at the top for the title, and at the bottom for machine and versions. */
export const frame = { top: 70, lineHeight: 15, charactersPerLine: 150 } as const;

/** The lines at the bottom of a chart: machine, versions, date. */
export function footer(results: Results): string[] {
  return circumstances(results).flatMap(fact => wrapped(fact, frame.charactersPerLine));
}

/** An SVG on white, so that it looks the same on light and dark pages. */
export function draw(
  results: Results,
  size: { readonly width: number; readonly height: number },
  heading: { readonly title: string; readonly subtitle: string },
  option: EChartsCoreOption,
): string {
  const lines = footer(results);
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  const titles = Array.isArray(option["title"]) ? option["title"] : [];
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: { fontFamily: "sans-serif", color: ink },
    graphic: [
      {
        type: "text",
        left: 20,
        bottom: 12,
        style: { text: lines.join("\n"), fill: faint, fontSize: 11, lineHeight: frame.lineHeight },
      },
    ],
    ...option,
    title: [
      {
        text: heading.title,
        subtext: heading.subtitle,
        left: 20,
        top: 14,
        textStyle: { fontSize: 18, color: ink },
        subtextStyle: { fontSize: 12, color: faint },
      },
      ...titles,
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}

function wrapped(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line.length + word.length < width) lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
    else lines.push(`   ${word}`);
  }
  return lines;
}
