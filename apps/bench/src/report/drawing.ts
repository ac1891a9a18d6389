import { type ChartOptions, drawChart, faint } from "@gw/report";
import type { Results } from "../results.js";
import { circumstances } from "./text.js";

/** Colours that are distinct on white, also for colour-blind readers. */
const colours: { readonly [subject: string]: string } = {
  "gw-native": "#0b6e4f",
  "gw-1-thread": "#5fb49c",
  "gw-js": "#8fb339",
  "gw-default": "#0b6e4f",
  "etcd-gateway": "#c1440e",
  haproxy: "#2b59c3",
  "haproxy-3.0": "#1b2a6b",
  nginx: "#7a9cf0",
  "nginx-1.26": "#4fb0c6",
  "node-tcp-proxy": "#b08900",
  pipe: "#8a6fae",
  direct: "#9aa0a6",
};

/** The colour of a subject, the same in all charts. */
export function colourOf(subject: string): string {
  return colours[subject] ?? faint;
}

/** A chart with machine, versions and date below. */
export function draw(results: Results, chart: Omit<ChartOptions, "footer">): string {
  return drawChart({ ...chart, footer: circumstances(results) });
}
