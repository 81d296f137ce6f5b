/** The parts of yargs, its parser and its layout that reg uses. */
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
  // biome-ignore lint/style/noDefaultExport: the library's
  export default parser;
}

/** yargs itself on Node, yargs-native.ts on the native host: see "imports" in package.json and native-shim/build.sh. */
declare module "#yargs" {
  export interface Yargs {
    scriptName(name: string): Yargs;
    usage(text: string): Yargs;
    epilog(text: string): Yargs;
    command(syntax: string, describe: string): Yargs;
    describe(name: string, describe: string): Yargs;
    option(name: string, option: { readonly describe: string; readonly alias?: string }): Yargs;
    group(names: readonly string[], title: string): Yargs;
    wrap(columns: number): Yargs;
    help(enabled: boolean): Yargs;
    version(enabled: boolean): Yargs;
    detectLocale(enabled: boolean): Yargs;
    updateStrings(strings: Readonly<Record<string, string>>): Yargs;
    parserConfiguration(configuration: Readonly<Record<string, boolean>>): Yargs;
    usageConfiguration(configuration: Readonly<Record<string, boolean>>): Yargs;
    showHelp(consume: (text: string) => void): Yargs;
  }
  const yargs: (args: readonly string[]) => Yargs;
  // biome-ignore lint/style/noDefaultExport: the library's
  export default yargs;
}

/** An alias of native-shim/build.sh: yargs/build/lib/yargs-factory.js. */
declare module "yargs-factory" {
  import type { Yargs } from "#yargs";
  export function YargsFactory(platform: object): (args: readonly string[]) => Yargs;
}

/** An alias of native-shim/build.sh: cliui/build/lib/index.js. */
declare module "cliui-core" {
  export interface Layout {
    toString(): string;
  }
  export interface TextFunctions {
    readonly stringWidth: (text: string) => number;
    readonly stripAnsi: (text: string) => string;
    readonly wrap: (text: string, width: number) => string;
  }
  export function cliui(options: { readonly width: number }, functions: TextFunctions): Layout;
}
