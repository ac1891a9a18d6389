import uPlot from "uplot";
import { formatTime } from "../model/format.js";
import type { Sample } from "../model/history.js";
import type { ChartContent } from "./chart-content.js";

/** Seconds that the time axis has at least and at most. */
const leastSeconds = 60;
const mostSeconds = 300;

const height = 160;

/** With reduced motion a chart moves only this often. */
const reducedMotionMs = 5_000;

export interface Plot {
  update(samples: readonly Sample[]): void;
  destroy(): void;
}

/** A uPlot chart that fills the container's width and takes its colours from the style sheet. */
export function createPlot(container: HTMLElement, content: ChartContent): Plot {
  const { series, least, points = false } = content;
  const axis: uPlot.Axis = {
    stroke: () => colour("--text-2"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const plot = new uPlot(
    {
      width: container.clientWidth || 300,
      height,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: {
          time: true,
          range: (_, first, last) => [
            Math.max(last - mostSeconds, Math.min(first, last - leastSeconds)),
            last,
          ],
        },
        y: { range: (_, __, most) => [0, Math.max(least, most * 1.1)] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          space: 90,
          values: (_, times) => times.map(time => formatTime(time * 1_000, time * 1_000)),
        },
        {
          ...axis,
          size: 72,
          space: 40,
          values: (_, values) => values.map(value => series[0]?.format(value) ?? ""),
        },
      ],
      series: [
        {},
        ...series.map(({ label }, index) => ({
          label,
          stroke: () => colour(`--series-${index + 1}`),
          fill: () => (index === 0 && !points ? colour("--series-1-fill") : "transparent"),
          width: 2,
          // Not by colour alone.
          ...(index === 0 ? {} : { dash: [6, 4] }),
          points: { show: points, size: 5 },
        })),
      ],
    },
    [[], ...series.map(() => [])],
    container,
  );

  const resize = new ResizeObserver(() => {
    if (container.clientWidth > 0) plot.setSize({ width: container.clientWidth, height });
  });
  resize.observe(container);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const redraw = (): void => plot.redraw(false);
  dark.addEventListener("change", redraw);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let updated = Number.NEGATIVE_INFINITY;

  return {
    update(samples) {
      if (still.matches && performance.now() - updated < reducedMotionMs) return;
      updated = performance.now();
      plot.setData([samples.map(({ at }) => at / 1_000), ...series.map(({ value }) => samples.map(value))]);
    },
    destroy() {
      resize.disconnect();
      dark.removeEventListener("change", redraw);
      plot.destroy();
    },
  };
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
