/** @file A share with the interval that its sample size allows. */

/** Ends of Wilson's interval (1927) around hits / n at 95%: what the true share may well be. */
export function wilson(hits: number, n: number): [low: number, high: number] {
  const z = 1.959964;
  const p = hits / n;
  const middle = p + (z * z) / (2 * n);
  const half = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  return [Math.max(0, (middle - half) / scale), Math.min(1, (middle + half) / scale)];
}

/** Such as `0.9744 (95% interval 0.953 to 0.986)`; says so where there is nothing to count. */
export function rateOf(hits: number, n: number): string {
  if (n === 0) return 'not defined (no such picture)';
  const [low, high] = wilson(hits, n);
  return `${(hits / n).toFixed(4)} (95% interval ${low.toFixed(3)} to ${high.toFixed(3)})`;
}
