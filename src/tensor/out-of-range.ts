/** @file An index that the engine finds out of range, as an error that names the operator and the user's line. */
import { ArgumentError, EngineError } from '../ir/errors.ts';
import type { Node } from '../ir/graph.ts';
import { normalizeAxis } from '../ir/shape.ts';
import { isSameSite, siteOf } from '../ir/site.ts';

interface IndexingNode {
  readonly what: string;
  /** Of the dimension that is indexed. */
  readonly size: number | undefined;
  /** Which node of the graph it comes from; the program may run for other graphs of this form, built elsewhere. */
  readonly at: number;
  readonly site: string | undefined;
}

/** The indexing operators of a program, by the names that `emitModel` gives its nodes. */
export type IndexingNodes = ReadonlyMap<string, IndexingNode>;

/**
 * Describes the indexing operators of a program.
 * @param emitted its nodes, in the order in which they were emitted
 * @param graph the nodes of the graph from which it was compiled
 */
export function indexingNodes(emitted: readonly Node[], graph: readonly Node[]): IndexingNodes {
  const known = new Map<string, IndexingNode>();
  emitted.forEach((node, i) => {
    if (!node.op.indexes) return;
    const [x] = node.inputs;
    const axis = node.op.type.endsWith('ND') ? undefined : Number(node.attrs.axis ?? 0);
    const size = x && axis !== undefined ? x.shape[normalizeAxis(axis, x.rank)] : undefined;
    const at = graph.findIndex((other) => isSameSite(node, other));
    known.set(`${node.op.type}_${i}`, { what: node.toString(), size, at, site: siteOf(node) });
  });
  return known;
}

const outOfRange =
  /indices element out of data bounds|Out of range value in index|invalid index(?:ed)? found|invalid indice/i;

/**
 * The error of the engine, or the user's own mistake in its place: an index out of range.
 * @param graph the nodes of the graph for which the program ran, if it is not the one from which it was compiled
 */
export function explainRun(error: unknown, nodes: IndexingNodes, graph: readonly Node[] | undefined): unknown {
  if (!(error instanceof EngineError) || !outOfRange.test(error.message)) return error;
  const name = /Name:'([^']+)'/.exec(error.message)?.[1] ?? '';
  const found = /(?:idx ?=|index ?=|indices?.*?=) ?(-?\d+)/.exec(error.message)?.[1];
  const node = nodes.get(name);
  const range = node?.size === undefined ? '' : `: expected ${-node.size} to ${node.size - 1}`;
  const own = node && graph?.[node.at];
  const place = own ? siteOf(own) : node?.site;
  const site = place ? `\n    at ${place}` : '';
  return new ArgumentError(
    `[${node?.what ?? (name || 'a program')}] ${found === undefined ? 'an index' : `index ${found}`} is out of range${range}${site}`,
    { cause: error },
  );
}
