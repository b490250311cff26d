/** @file A tree of strings by UTF-16 units, compact enough for vocabularies of hundreds of thousands of tokens. */

/** Nodes are numbers, 0 the root. */
export class Trie {
  /** Node that a parent leads to with a unit, found by hashing. */
  #slots = new Int32Array(1 << 12).fill(-1);
  #parents = new Int32Array(1 << 11);
  #units = new Uint16Array(1 << 11);
  #values = new Int32Array(1 << 11).fill(-1);
  #size = 1;

  add(text: string, value: number): void {
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      const next = this.next(node, unit);
      node = next < 0 ? this.#insert(node, unit) : next;
    }
    if (node > 0) this.#values[node] = value;
  }

  /** The node after `unit`, -1 if there is none. */
  next(node: number, unit: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash(node, unit) & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot];
      if (found < 0 || (this.#parents[found] === node && this.#units[found] === unit)) return found;
    }
  }

  /** Value of the string that ends here, -1 if none does. */
  value(node: number): number {
    return this.#values[node];
  }

  #insert(parent: number, unit: number): number {
    if (this.#size === this.#parents.length) this.#grow();
    const node = this.#size++;
    this.#parents[node] = parent;
    this.#units[node] = unit;
    this.#place(node);
    return node;
  }

  #place(node: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash(this.#parents[node], this.#units[node]) & mask;
    while (this.#slots[slot] >= 0) slot = (slot + 1) & mask;
    this.#slots[slot] = node;
  }

  #grow(): void {
    const double = <A extends Int32Array | Uint16Array>(old: A, made: A): A => {
      made.set(old);
      return made;
    };
    const size = this.#size * 2;
    this.#parents = double(this.#parents, new Int32Array(size));
    this.#units = double(this.#units, new Uint16Array(size));
    this.#values = double(this.#values, new Int32Array(size).fill(-1));
    this.#slots = new Int32Array(size * 2).fill(-1);
    for (let node = 1; node < this.#size; node++) this.#place(node);
  }
}

function hash(node: number, unit: number): number {
  const mixed = Math.imul(node ^ Math.imul(unit + 1, 0x9e3779b1), 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
