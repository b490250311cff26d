/** @file From echarts options to SVG text, without a DOM, in one common look. */
import { BarChart, HeatmapChart, LineChart } from 'echarts/charts';
import {
  GridComponent,
  LegendComponent,
  MarkPointComponent,
  TitleComponent,
  VisualMapComponent,
} from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { ArgumentError } from '../../ir/errors.ts';

/** Size in pixels and title, common to all charts. */
export interface ChartOptions {
  readonly title?: string;
  readonly width?: number;
  readonly height?: number;
}

export const fontFamily = "'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif";
export const ink = '#1f2937';
export const faintInk = '#6b7280';
/** Colours that also differ in lightness, for readers who see few hues (after Okabe and Ito). */
export const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6d31', '#5b5b5b'];

let registered = false;

/**
 * Draws a chart as SVG text. The same options give the same text.
 * @throws ArgumentError for a size that is not from 50 to 10,000 pixels.
 */
export function renderSvg(options: EChartsCoreOption, width: number, height: number): string {
  for (const size of [width, height])
    if (!(size >= 50 && size <= 10_000))
      throw new ArgumentError(`chart size ${width} x ${height}: expected 50 to 10000 pixels`);
  if (!registered) {
    use([
      BarChart,
      HeatmapChart,
      LineChart,
      GridComponent,
      LegendComponent,
      MarkPointComponent,
      TitleComponent,
      VisualMapComponent,
      SVGRenderer,
    ]);
    registered = true;
  }
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: '#ffffff',
      color: palette,
      textStyle: { fontFamily, color: ink },
      ...options,
    });
    return renameIds(withoutHover(withoutControls(chart.renderToSVGString())), 'g');
  } finally {
    chart.dispose();
  }
}

/** Title in the upper left corner. */
export function titleOption(title: string | undefined) {
  return title === undefined
    ? undefined
    : { text: title, left: 12, top: 10, textStyle: { fontSize: 15, fontWeight: 600, color: ink, fontFamily } };
}

/** Look of an axis with numbers. */
export function valueAxis(name: string | undefined, nameGap: number) {
  return {
    type: 'value' as const,
    name,
    nameLocation: 'middle' as const,
    nameGap,
    nameTextStyle: { color: faintInk, fontSize: 12 },
    axisLine: { show: true, lineStyle: { color: '#9ca3af' } },
    axisLabel: { color: faintInk, fontSize: 11 },
    splitLine: { lineStyle: { color: '#e5e7eb' } },
  };
}

/** Drops the classes and styles by which echarts answers the mouse: these pictures are still. */
function withoutHover(svg: string): string {
  return svg
    .replace(/<style[\s\S]*?<\/style>\n?/g, '')
    .replace(/ class="[^"]*"/g, '')
    .replaceAll(' pointer-events="visible"', '');
}

/** Gives the marks that echarts counts through the process a fixed prefix, so that equal charts are equal texts. */
export function renameIds(svg: string, prefix: string): string {
  return svg.replace(/(id="|url\(#|href="#)[a-z]+\d*-([a-z]+\d+)/g, `$1${prefix}-$2`);
}

/** Numbers at axes and bars: four significant digits at most, without the noise of binary fractions. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 1e-3) ? value.toExponential(0) : String(Number(value.toPrecision(4)));
}

function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 forbids
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '');
}

/** Text for SVG: escaped, without characters that XML forbids. */
export function escapeXml(text: string): string {
  return withoutControls(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** Rough width of text in pixels, generous because the font is not known here; wide for Chinese, Japanese, Korean. */
export function textWidth(text: string, fontSize: number): number {
  let width = 0;
  for (const c of text) width += (c.codePointAt(0) ?? 0) > 0x2e7f ? 1 : 0.62;
  return width * fontSize;
}

/** Text cut to a width, with an ellipsis. */
export function fitText(text: string, fontSize: number, width: number): string {
  if (textWidth(text, fontSize) <= width) return text;
  const characters = [...text];
  while (characters.length > 1 && textWidth(`${characters.join('')}…`, fontSize) > width) characters.pop();
  return `${characters.join('')}…`;
}
