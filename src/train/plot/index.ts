/** @file Charts as SVG texts, drawn without a browser: curves, bars, confusion matrices, image grids, reports. */
export { type BarsOptions, bars } from './bars.ts';
export type { ChartOptions } from './chart.ts';
export { type ConfusionMatrixOptions, confusionMatrix } from './confusion-matrix.ts';
export { type GridImage, type ImageGridOptions, imageGrid } from './image-grid.ts';
export { type LineChartOptions, type LineSeries, lineChart } from './line-chart.ts';
export { canDrawText, svgToPng } from './png.ts';
export { type ReportOptions, report } from './report.ts';
