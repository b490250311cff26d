/** @file Bar charts: a value per class or group. */
import { ArgumentError } from '../../ir/errors.ts';
import {
  type ChartOptions,
  faintInk,
  fitText,
  fontFamily,
  ink,
  renderSvg,
  shortNumber,
  textWidth,
  titleOption,
  valueAxis,
} from './chart.ts';

export interface BarsOptions extends ChartOptions {
  /** Names of the groups, top to bottom. */
  readonly labels: readonly string[];
  /** One bar per group and series. */
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[];
  readonly xLabel?: string;
  /** End of the axis, such as 1 for shares. Default chosen by the values. */
  readonly max?: number;
}

/**
 * Horizontal bars with their values, as SVG text; horizontal so that long names stay readable. The default height grows
 * with the number of bars. NaN draws no bar.
 * @throws ArgumentError where a series has not one value per label.
 */
export function bars({ labels, series, title, xLabel, max, width = 640, height }: BarsOptions): string {
  for (const { name, values } of series)
    if (values.length !== labels.length)
      throw new ArgumentError(`bars ${JSON.stringify(name)}: ${values.length} values for ${labels.length} labels`);
  const side = Math.min(width / 3, Math.max(20, ...labels.map((label) => textWidth(label, 12))));
  const legend = series.length > 1;
  const top = (title === undefined ? 14 : 42) + (legend ? 24 : 0);
  const bottom = xLabel === undefined ? 32 : 50;
  const thickness = series.length > 1 ? 13 : 17;
  const rows = labels.length * (series.length * thickness + 9);
  return renderSvg(
    {
      title: titleOption(title),
      legend: legend
        ? {
            top: title === undefined ? 8 : 36,
            left: side + 14,
            itemGap: 18,
            itemWidth: 12,
            itemHeight: 10,
            textStyle: { color: ink, fontSize: 12, fontFamily },
          }
        : undefined,
      grid: { left: side + 18, right: 58, top, bottom },
      xAxis: { ...valueAxis(xLabel, 28), ...(max === undefined ? {} : { max }) },
      yAxis: {
        type: 'category' as const,
        data: labels.map((label) => fitText(label, 12, side)),
        inverse: true,
        axisTick: { show: false },
        axisLine: { lineStyle: { color: '#9ca3af' } },
        axisLabel: { color: ink, fontSize: 12, interval: 0, fontFamily },
      },
      series: series.map(({ name, values }) => ({
        type: 'bar' as const,
        name,
        data: values.map((v) => (Number.isFinite(v) ? v : null)),
        barMaxWidth: thickness,
        barGap: '8%',
        silent: true,
        label: {
          show: true,
          position: 'right' as const,
          color: faintInk,
          fontSize: 11,
          fontFamily,
          formatter: (item: { readonly dataIndex: number }) => shortNumber(values[item.dataIndex]),
        },
      })),
    },
    width,
    height ?? Math.round(top + rows + bottom),
  );
}
