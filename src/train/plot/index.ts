/** @file Charts as SVG texts, drawn without a browser: curves, bars, confusion matrices, heat maps, image grids, reports; overlays; pictures in a terminal. */
export { type BarsOptions, bars } from './bars.ts';
export type { ChartOptions } from './chart.ts';
export { type ConfusionMatrixOptions, confusionMatrix } from './confusion-matrix.ts';
export { type HeatMapOptions, heatMap } from './heat-map.ts';
export { type GridImage, type ImageGridOptions, imageGrid } from './image-grid.ts';
export { type LineChartOptions, type LineSeries, lineChart } from './line-chart.ts';
export { type Color, drawBoxes, type OverlayOptions, overlay } from './overlay.ts';
export { canDrawText, svgToPng } from './png.ts';
export { type ReportOptions, report } from './report.ts';
export { type ShowPictureOptions, showPicture, type TerminalPictures, terminalPictures } from './terminal.ts';
