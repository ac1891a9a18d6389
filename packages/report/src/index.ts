/**
 * Tables and charts that apps write into their READMEs.
 *
 * @packageDocumentation
 */
export { type ChartOptions, type CustomSeriesRenderItem, drawChart, faint, ink, plotTop } from "./chart.js";
export { betweenMarkers, markdownTable, number, type Rows } from "./text.js";
