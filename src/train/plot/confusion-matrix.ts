/** @file A confusion matrix as a picture. */
import { ArgumentError } from '../../ir/errors.ts';
import type { ConfusionMatrix } from '../metrics/index.ts';
import { type ChartOptions, faintInk, fitText, fontFamily, ink, renderSvg, textWidth, titleOption } from './chart.ts';

/** Number of classes up to which the counts are written into the cells. */
const maxWritten = 25;
/** Light to dark, for shares 0 to 1. */
const colors = ['#f7f9fc', '#9ecae1', '#4292c6', '#084594'];

export interface ConfusionMatrixOptions extends ChartOptions {
  /** Write shares of each actual class in percent instead of counts. Default false. */
  readonly percent?: boolean;
}

/**
 * Actual classes down, predicted classes across; a cell is the darker, the larger its share of the actual class. Counts
 * are written where there are at most 25 classes. The default size grows with the number of classes.
 * @throws ArgumentError for an empty matrix.
 */
export function confusionMatrix(
  { labels, counts }: ConfusionMatrix,
  { title, percent = false, width, height }: ConfusionMatrixOptions = {},
): string {
  const n = labels.length;
  if (n === 0) throw new ArgumentError('confusion matrix without classes: nothing to draw');
  const fontSize = n > 60 ? 6 : n > 40 ? 8 : 11;
  const longest = Math.max(...labels.map((label) => textWidth(label, fontSize)));
  const side = Math.min(150, longest + 14);
  const cell = Math.max(n > 40 ? 9 : 18, Math.min(44, 480 / n));
  const left = side + 34;
  // Names across stand upright where they are wider than their column.
  const upright = longest > cell - 6;
  const bottom = (upright ? side : 22) + 26;
  const top = title === undefined ? 16 : 44;
  const data = counts.flatMap((row, actual) => {
    const total = row.reduce((sum, v) => sum + v, 0);
    return row.map((count, predicted) => {
      const share = total === 0 ? 0 : count / total;
      return {
        value: [predicted, actual, share],
        label: { color: share > 0.5 ? '#ffffff' : count === 0 ? '#c3c9d2' : ink },
        text: !percent ? String(count) : share > 0 && share < 0.005 ? '<1' : String(Math.round(share * 100)),
      };
    });
  });
  const axis = {
    type: 'category' as const,
    data: labels.map((label) => fitText(label, fontSize, side - 8)),
    splitArea: { show: false },
    axisTick: { show: false },
    axisLine: { show: false },
    nameLocation: 'middle' as const,
    nameTextStyle: { color: faintInk, fontSize: 12, fontFamily },
  };
  const axisLabel = { color: ink, fontSize, interval: 0, fontFamily };
  const digits = Math.max(...data.map((d) => d.text.length));
  const numberSize = Math.max(7, Math.min(13, (cell - 4) / (0.62 * digits)));
  return renderSvg(
    {
      title: titleOption(title),
      grid: { left, right: 20, top, bottom, show: true, backgroundColor: colors[0], borderWidth: 0 },
      xAxis: {
        ...axis,
        name: 'predicted',
        nameGap: bottom - 20,
        axisLabel: { ...axisLabel, rotate: upright ? 90 : 0 },
      },
      yAxis: { ...axis, name: percent ? 'actual (rows in %)' : 'actual', nameGap: side + 10, inverse: true, axisLabel },
      visualMap: {
        show: false,
        min: 0,
        max: 1,
        dimension: 2,
        inRange: { color: colors },
      },
      series: [
        {
          type: 'heatmap' as const,
          data: n <= maxWritten ? data : data.filter((d) => d.value[2] > 0),
          silent: true,
          label: {
            show: n <= maxWritten,
            fontSize: numberSize,
            fontFamily,
            formatter: (item: { readonly dataIndex: number }) => data[item.dataIndex].text,
          },
          itemStyle: { borderColor: '#ffffff', borderWidth: n > maxWritten ? 0 : 1 },
        },
      ],
    },
    width ?? Math.round(left + n * cell + 20),
    height ?? Math.round(top + n * cell + bottom),
  );
}
