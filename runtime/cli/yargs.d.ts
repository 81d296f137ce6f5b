/** The parts of yargs and its parser that reg uses, in the builds that need no Node. */
declare module "yargs-parser/browser" {
  export interface ParserOptions {
    readonly string?: readonly string[];
    readonly boolean?: readonly string[];
    readonly array?: readonly string[];
    readonly alias?: Readonly<Record<string, readonly string[]>>;
    readonly narg?: Readonly<Record<string, number>>;
    readonly configuration?: Readonly<Record<string, boolean>>;
  }
  export interface Parsed {
    readonly argv: { readonly _: readonly (string | number)[]; readonly [name: string]: unknown };
    readonly error: Error | null;
  }
  const parser: { detailed(args: readonly string[], options: ParserOptions): Parsed };
  export default parser;
}
