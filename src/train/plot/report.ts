/** @file Several charts on one page. */
import { ArgumentError, FormatError } from '../../ir/errors.ts';
import { escapeXml, faintInk, fontFamily, ink, renameIds } from './chart.ts';

export interface ReportOptions {
  readonly title?: string;
  /** Under the title, such as the figures that matter. */
  readonly subtitle?: string;
}

/**
 * Composes charts (SVG texts of this folder's functions) into one SVG: each inner list is a row, left to right.
 * @throws ArgumentError for no charts, FormatError for a text that is not an SVG with width and height.
 */
export function report(rows: readonly (readonly string[])[], { title, subtitle }: ReportOptions = {}): string {
  if (rows.flat().length === 0) throw new ArgumentError('report without charts: nothing to draw');
  const gap = 12;
  const parts: string[] = [];
  let y = gap;
  if (title !== undefined) {
    parts.push(heading(title, 34, 20, ink, 700));
    y = 50;
  }
  if (subtitle !== undefined) {
    parts.push(heading(subtitle, y + 8, 13, faintInk, 400));
    y += 24;
  }
  let width = 0;
  let count = 0;
  for (const row of rows) {
    let x = gap;
    let tallest = 0;
    for (const svg of row) {
      const size = sizeOfSvg(svg, count);
      // A number of its own keeps the marks of one chart (clip paths, classes) from meeting another's.
      parts.push(renameIds(svg, `c${count++}`).replace('<svg ', `<svg x="${x}" y="${y}" `));
      x += size.width + gap;
      tallest = Math.max(tallest, size.height);
    }
    width = Math.max(width, x);
    y += tallest + gap;
  }
  return (
    `<svg width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">\n` +
    `<rect width="${width}" height="${y}" fill="#ffffff"/>\n${parts.join('\n')}\n</svg>`
  );
}

function heading(text: string, y: number, size: number, fill: string, weight: number): string {
  return `<text x="24" y="${y}" font-family="${escapeXml(fontFamily)}" font-size="${size}" font-weight="${weight}" fill="${fill}">${escapeXml(text)}</text>`;
}

function sizeOfSvg(svg: string, index: number) {
  const match = /^<svg width="([\d.]+)" height="([\d.]+)"/.exec(svg);
  if (match === null) throw new FormatError(`chart ${index} of the report is not an SVG with width and height`);
  return { width: Number(match[1]), height: Number(match[2]) };
}
