/** @file Line charts: losses and metrics over epochs or steps. */
import { ArgumentError } from '../../ir/errors.ts';
import { formatNumber } from '../progress.ts';
import {
  type ChartOptions,
  fontFamily,
  ink,
  palette,
  renderSvg,
  shortNumber,
  textWidth,
  titleOption,
  valueAxis,
} from './chart.ts';

export interface LineSeries {
  readonly name: string;
  readonly y: readonly number[];
  /** Default 1, 2, 3, ... */
  readonly x?: readonly number[];
  /** Marks the lowest or highest point with its value. */
  readonly mark?: 'min' | 'max';
}

export interface LineChartOptions extends ChartOptions {
  readonly series: readonly LineSeries[];
  readonly xLabel?: string;
  readonly yLabel?: string;
  /** Logarithmic y axis; values of 0 and below are then left out. */
  readonly logY?: boolean;
}

/**
 * Lines as SVG text; NaN and infinite values are gaps. Default size 640 x 400.
 * @throws ArgumentError where x and y of a series differ in length.
 */
export function lineChart({
  series,
  title,
  xLabel,
  yLabel,
  logY,
  width = 640,
  height = 400,
}: LineChartOptions): string {
  const drawable = (v: number) => Number.isFinite(v) && !(logY && v <= 0);
  const lines = series.map(({ name, y, x, mark }, index) => {
    if (x !== undefined && x.length !== y.length)
      throw new ArgumentError(`line ${JSON.stringify(name)}: ${x.length} values of x, but ${y.length} of y`);
    const data = y.map((v, i) => [x?.[i] ?? i + 1, drawable(v) ? v : null]);
    return {
      type: 'line' as const,
      name,
      data,
      showSymbol: data.length <= 30,
      symbol: 'circle',
      symbolSize: 5,
      lineStyle: { width: 2 },
      silent: true,
      ...(mark !== undefined && y.some(drawable)
        ? { markPoint: markPoint(data, mark, palette[index % palette.length]) }
        : {}),
    };
  });
  const shown = series.flatMap(({ y }) => y.filter(drawable));
  const largest =
    shown.length === 0 ? 1 : Math.max(...[Math.min, Math.max].map((f) => textWidth(shortNumber(reduce(shown, f)), 11)));
  const left = Math.max(44, largest + 24) + (yLabel === undefined ? 0 : 18);
  const integers = series.every(({ x }) => x === undefined || x.every(Number.isInteger));
  const top = (title === undefined ? 16 : 44) + (series.length > 1 ? 24 : 0);
  return renderSvg(
    {
      title: titleOption(title),
      legend:
        series.length > 1
          ? {
              top: title === undefined ? 10 : 36,
              left: left - 4,
              itemGap: 18,
              itemWidth: 18,
              icon: 'roundRect',
              itemHeight: 3,
              textStyle: { color: ink, fontSize: 12, fontFamily },
            }
          : undefined,
      grid: { left, right: 28, top, bottom: xLabel === undefined ? 34 : 52 },
      xAxis: {
        ...valueAxis(xLabel, 28),
        scale: true,
        splitLine: { show: false },
        ...(integers ? { minInterval: 1 } : {}),
      },
      yAxis: {
        ...valueAxis(yLabel, left - 22),
        type: logY ? 'log' : 'value',
        scale: true,
        axisLabel: { color: '#6b7280', fontSize: 11, formatter: shortNumber },
      },
      series: lines,
    },
    width,
    height,
  );
}

function reduce(values: readonly number[], choose: (a: number, b: number) => number): number {
  return values.reduce((a, b) => choose(a, b));
}

function markPoint(data: readonly (readonly (number | null)[])[], mark: 'min' | 'max', color: string) {
  const points = data.filter((p): p is [number, number] => p[1] !== null);
  const best = points.reduce((a, b) => ((mark === 'min' ? b[1] < a[1] : b[1] > a[1]) ? b : a));
  return {
    silent: true,
    symbol: 'circle',
    symbolSize: 9,
    itemStyle: { color: '#ffffff', borderColor: color, borderWidth: 2.5 },
    label: {
      formatter: formatNumber(best[1]),
      // Above also for the lowest: below a validation loss runs the training loss.
      position: 'top' as const,
      distance: 6,
      color,
      fontSize: 12,
      fontWeight: 600,
      fontFamily,
      textBorderColor: '#ffffff',
      textBorderWidth: 3,
    },
    data: [{ coord: best }],
  };
}
