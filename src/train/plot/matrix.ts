/** @file What confusion matrices and heat maps share: cells that are the darker, the larger their share. */
import { type ChartOptions, faintInk, fitText, fontFamily, ink, renderSvg, textWidth, titleOption } from './chart.ts';

/** Light to dark, for shares 0 to 1. */
const colors = ['#f7f9fc', '#9ecae1', '#4292c6', '#084594'];

export interface Cell {
  /** Darkness, 0 to 1. */
  readonly share: number;
  readonly text: string;
  /** Written in grey. */
  readonly isFaint?: boolean;
}

export interface MatrixOptions extends ChartOptions {
  readonly rowLabels: readonly string[];
  readonly columnLabels: readonly string[];
  readonly rowName?: string | undefined;
  readonly columnName?: string | undefined;
  /** Whether the texts are written into the cells; cells without a share are left out otherwise. */
  readonly isWritten: boolean;
}

/** Rows down, columns across. The default size grows with their numbers. */
export function matrixSvg(cells: readonly (readonly Cell[])[], options: MatrixOptions): string {
  const { title, rowLabels, columnLabels, rowName, columnName, isWritten, width, height } = options;
  const n = Math.max(rowLabels.length, columnLabels.length);
  const fontSize = n > 60 ? 6 : n > 40 ? 8 : 11;
  const room = (labels: readonly string[]) =>
    Math.min(150, Math.max(...labels.map((label) => textWidth(label, fontSize))) + 14);
  const side = room(rowLabels);
  // However many there are, the picture stays below the largest size.
  const cell = Math.min(Math.max(n > 40 ? 9 : 18, Math.min(44, 480 / n)), 9600 / n);
  const left = side + (rowName === undefined ? 8 : 34);
  // Names across stand upright where they are wider than their column.
  const upright = room(columnLabels) - 14 > cell - 6;
  const bottom = (upright ? room(columnLabels) : 22) + (columnName === undefined ? 6 : 26);
  const top = title === undefined ? 16 : 44;
  const data = cells.flatMap((row, r) =>
    row.map(({ share, text, isFaint }, c) => ({
      value: [c, r, share],
      label: { color: share > 0.5 ? '#ffffff' : isFaint ? '#c3c9d2' : ink },
      text,
    })),
  );
  const axis = (labels: readonly string[], space: number) => ({
    type: 'category' as const,
    data: labels.map((label) => fitText(label, fontSize, space - 8)),
    splitArea: { show: false },
    axisTick: { show: false },
    axisLine: { show: false },
    nameLocation: 'middle' as const,
    nameTextStyle: { color: faintInk, fontSize: 12, fontFamily },
  });
  const axisLabel = { color: ink, fontSize, interval: 0, fontFamily };
  const digits = data.reduce((most, { text }) => Math.max(most, text.length), 1);
  const numberSize = Math.max(7, Math.min(13, (cell - 4) / (0.62 * digits)));
  return renderSvg(
    {
      title: titleOption(title),
      grid: { left, right: 20, top, bottom, show: true, backgroundColor: colors[0], borderWidth: 0 },
      xAxis: {
        ...axis(columnLabels, room(columnLabels)),
        name: columnName,
        nameGap: bottom - 20,
        axisLabel: { ...axisLabel, rotate: upright ? 90 : 0 },
      },
      yAxis: { ...axis(rowLabels, side), name: rowName, nameGap: side + 10, inverse: true, axisLabel },
      visualMap: { show: false, min: 0, max: 1, dimension: 2, inRange: { color: colors } },
      series: [
        {
          type: 'heatmap' as const,
          data: isWritten ? data : data.filter((d) => d.value[2] > 0),
          silent: true,
          label: {
            show: isWritten,
            fontSize: numberSize,
            fontFamily,
            formatter: (item: { readonly dataIndex: number }) => data[item.dataIndex].text,
          },
          itemStyle: { borderColor: '#ffffff', borderWidth: isWritten ? 1 : 0 },
        },
      ],
    },
    width ?? Math.round(left + columnLabels.length * cell + 20),
    height ?? Math.round(top + rowLabels.length * cell + bottom),
  );
}
