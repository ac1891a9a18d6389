import type { CustomSeriesRenderItem } from "echarts";
import { BarChart, CustomChart, LineChart } from "echarts/charts";
import { GraphicComponent, GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

export type { CustomSeriesRenderItem };

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

/** The colours of text: what matters, and what does not. */
export const ink = "#1f2328";
export const faint = "#59636e";

/** Where the plots begin, below the heading, in pixels. */
export const plotTop = 70;

const lineHeight = 15;
const charactersPerLine = 150;

/** What a chart consists of besides its plots. Sizes are in pixels. */
export interface ChartOptions {
  readonly title: string;
  readonly subtitle: string;
  /** Without the footer. */
  readonly size: { readonly width: number; readonly height: number };
  /** Facts below the plots, such as machine and versions; each begins a line. */
  readonly footer: readonly string[];
  /** The plots, as ECharts takes them. */
  readonly plots: EChartsCoreOption;
}

/** An SVG on white, so that it looks the same on light and dark pages. */
export function drawChart({ title, subtitle, size, footer, plots }: ChartOptions): string {
  const lines = footer.flatMap(fact => wrapped(fact, charactersPerLine));
  const height = size.height + lines.length * lineHeight + 20;
  const chart = init(null, null, { renderer: "svg", ssr: true, width: size.width, height });
  const titles = Array.isArray(plots["title"]) ? plots["title"] : [];
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: { fontFamily: "sans-serif", color: ink },
    graphic: [
      {
        type: "text",
        left: 20,
        bottom: 12,
        style: { text: lines.join("\n"), fill: faint, fontSize: 11, lineHeight },
      },
    ],
    ...plots,
    title: [
      {
        text: title,
        subtext: subtitle,
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
