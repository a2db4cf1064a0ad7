/**
 * As much of CDDL (RFC 8610) as docs/protocol.md uses: arrays and maps, groups, choices, ranges, occurrences, and the controls
 * .size, .regexp and .cbor. So that the page's definitions are held to the vectors, and the other way round.
 */
import { type CborValue, decodeCbor } from '../../protocol/cbor.ts';

type Type =
  | { readonly is: 'literal'; readonly value: CborValue }
  | { readonly is: 'name'; readonly name: string }
  | { readonly is: 'array' | 'map' | 'group'; readonly entries: readonly Entry[] }
  | { readonly is: 'choice'; readonly types: readonly Type[] }
  | { readonly is: 'range'; readonly least: number; readonly greatest: number }
  | { readonly is: 'control'; readonly base: Type; readonly control: string; readonly argument: Type };

interface Entry {
  readonly fewest: number;
  readonly most: number;
  /** A map's key; in an array the label is for the reader. */
  readonly key: number | undefined;
  readonly type: Type;
}

const TOKEN = /\s*(?:;[^\n]*\n|("(?:[^"\\]|\\.)*"|\.\.|\.[a-z]+|-?\d+|[A-Za-z][A-Za-z0-9-]*|[=:,[\]{}()/?*]))/y;

function tokensOf(text: string): string[] {
  const source = `${text}\n`;
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (/\S/.test(source.slice(TOKEN.lastIndex))) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) throw new Error(`CDDL: not understood: ${source.slice(at, at + 40)}`);
    if (match[1] !== undefined) tokens.push(match[1]);
  }
  return tokens;
}

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  rules(): Map<string, Type> {
    const rules = new Map<string, Type>();
    while (this.#at < this.#tokens.length) {
      const name = this.#next();
      this.#expect('=');
      if (rules.has(name)) throw new Error(`CDDL: ${name} is defined twice`);
      rules.set(name, this.#peek() === '(' ? this.#bracketed('group', ')') : this.#type());
    }
    return rules;
  }

  #peek = (ahead = 0): string => this.#tokens[this.#at + ahead] ?? '';
  #next = (): string => this.#tokens[this.#at++] ?? '';
  #expect(token: string): void {
    const got = this.#next();
    if (got !== token)
      throw new Error(`CDDL: ${got} instead of ${token}, behind ${this.#tokens.slice(this.#at - 8, this.#at - 1).join(' ')}`);
  }

  #type(): Type {
    const types = [this.#controlled()];
    while (this.#peek() === '/') {
      this.#next();
      types.push(this.#controlled());
    }
    return types.length === 1 ? types[0]! : { is: 'choice', types };
  }

  #controlled(): Type {
    const base = this.#plain();
    if (this.#peek() === '..') {
      this.#next();
      return { is: 'range', least: numberOf(base), greatest: numberOf(this.#plain()) };
    }
    if (!this.#peek().startsWith('.')) return base;
    return { is: 'control', control: this.#next(), base, argument: this.#plain() };
  }

  #plain(): Type {
    if (this.#peek() === '[') return this.#bracketed('array', ']');
    if (this.#peek() === '{') return this.#bracketed('map', '}');
    const token = this.#next();
    if (token.startsWith('"')) return { is: 'literal', value: JSON.parse(token) };
    if (/^-?\d/.test(token)) return { is: 'literal', value: Number(token) };
    return { is: 'name', name: token };
  }

  #bracketed(is: 'array' | 'map' | 'group', close: string): Type {
    this.#next();
    const entries: Entry[] = [];
    while (this.#peek() !== close) {
      entries.push(this.#entry());
      if (this.#peek() === ',') this.#next();
    }
    this.#next();
    return { is, entries };
  }

  #entry(): Entry {
    let [fewest, most] = [1, 1];
    if (this.#peek() === '?') {
      this.#next();
      fewest = 0;
    } else if (this.#peek(1) === '*') {
      fewest = Number(this.#next());
      this.#next();
      most = Number(this.#next());
    }
    const label = this.#peek(1) === ':' ? this.#next() : undefined;
    if (label !== undefined) this.#expect(':');
    const key = label !== undefined && /^\d/.test(label) ? Number(label) : undefined;
    return { fewest, most, key, type: this.#type() };
  }
}

function numberOf(type: Type): number {
  if (type.is !== 'literal' || typeof type.value !== 'number') throw new Error('CDDL: a range of something else than numbers');
  return type.value;
}

export class Cddl {
  readonly #rules: ReadonlyMap<string, Type>;

  /** @throws Error when `text` is not understood, or a rule names one that is not there. */
  constructor(text: string) {
    this.#rules = new Parser(text).rules();
    JSON.stringify([...this.#rules.values()], (_key, value) => {
      if (value?.is === 'name' && !BUILT_IN.has(value.name)) this.#rule(value.name);
      return value;
    });
  }

  get names(): string[] {
    return [...this.#rules.keys()];
  }

  matches(name: string, value: CborValue): boolean {
    return this.#matches(this.#rule(name), value);
  }

  #rule(name: string): Type {
    const rule = this.#rules.get(name);
    if (rule === undefined) throw new Error(`CDDL: ${name} is not defined`);
    return rule;
  }

  #matches(type: Type, value: CborValue): boolean {
    switch (type.is) {
      case 'literal':
        return value === type.value;
      case 'range':
        return typeof value === 'number' && value >= type.least && value <= type.greatest;
      case 'choice':
        return type.types.some((one) => this.#matches(one, value));
      case 'name':
        return BUILT_IN.get(type.name)?.(value) ?? this.#matches(this.#rule(type.name), value);
      case 'control':
        return this.#matches(type.base, value) && this.#controls(type.control, type.argument, value);
      case 'array':
        return Array.isArray(value) && this.#matchesArray(type.entries, value);
      case 'map':
        return value instanceof Map && this.#matchesMap(type.entries, value);
      case 'group':
        return false;
    }
  }

  #controls(control: string, argument: Type, value: CborValue): boolean {
    const literal = argument.is === 'literal' ? argument.value : undefined;
    if (control === '.size') return value instanceof Uint8Array && value.length === literal;
    if (control === '.regexp') return typeof value === 'string' && new RegExp(`^(?:${literal})$`).test(value);
    if (control === '.cbor') return value instanceof Uint8Array && this.#matches(argument, decodeCbor(value, 'nested', 100_000));
    throw new Error(`CDDL: ${control} is not understood`);
  }

  #matchesArray(entries: readonly Entry[], values: readonly CborValue[]): boolean {
    let at = 0;
    for (const { fewest, most, type } of entries) {
      let count = 0;
      while (count < most && at < values.length && this.#matches(type, values[at]!)) {
        count += 1;
        at += 1;
      }
      if (count < fewest) return false;
    }
    return at === values.length;
  }

  #matchesMap(entries: readonly Entry[], map: ReadonlyMap<number, CborValue>): boolean {
    const flat = entries.flatMap((entry) => this.#flattened(entry));
    const known = new Set(flat.map(({ key }) => key));
    return (
      [...map.keys()].every((key) => known.has(key)) &&
      flat.every(({ key, fewest, type }) => {
        const value = map.get(key ?? Number.NaN);
        return value === undefined ? fewest === 0 : this.#matches(type, value);
      })
    );
  }

  #flattened(entry: Entry): readonly Entry[] {
    if (entry.key !== undefined || entry.type.is !== 'name') return [entry];
    const group = this.#rule(entry.type.name);
    return group.is === 'group' ? group.entries : [entry];
  }
}

const BUILT_IN = new Map<string, (value: CborValue) => boolean>([
  ['bytes', (value) => value instanceof Uint8Array],
  ['text', (value) => typeof value === 'string'],
  ['bool', (value) => typeof value === 'boolean'],
  ['null', (value) => value === null],
]);
