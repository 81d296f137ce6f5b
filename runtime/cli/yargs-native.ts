/**
 * yargs for the native host: its factory with what it needs of a platform, which is a layout of columns and plain text.
 * The Node host has yargs' own.
 */
import { type Layout, cliui as layOut } from "cliui-core";
import { YargsFactory } from "yargs-factory";
import Parser from "yargs-parser/browser";
import { wrap } from "./wrap.ts";

const stringWidth = (text: string): number => text.length;

const strings: Record<string, string> = {};
const translate = (text: string, ...values: readonly unknown[]): string => {
  const left = [...values];
  return (strings[text] ?? text).replace(/%[sd]/g, () => String(left.shift()));
};

const nothing = (): undefined => undefined;

const yargs = YargsFactory({
  assert: { notStrictEqual: nothing, strictEqual: nothing },
  cliui: (options: { readonly width: number }): Layout =>
    layOut(options, { stringWidth, stripAnsi: (text) => text, wrap }),
  findUp: nothing,
  getCallerFile: nothing,
  getEnv: nothing,
  getProcessArgvBin: () => "reg",
  inspect: String,
  mainFilename: "reg",
  Parser,
  path: { basename: String, dirname: String, extname: String, relative: String, resolve: String, join: String },
  process: {
    argv: () => ["reg"],
    cwd: () => "/",
    emitWarning: nothing,
    execPath: () => "reg",
    exit: nothing,
    nextTick: nothing,
    stdColumns: 80,
  },
  readFileSync: () => "",
  readdirSync: () => [],
  require: nothing,
  stringWidth,
  y18n: {
    __: translate,
    __n: (one: string, many: string, count: number) => translate(count === 1 ? one : many, count),
    getLocale: () => "en_US",
    setLocale: nothing,
    updateLocale: (changes: Readonly<Record<string, string>>) => Object.assign(strings, changes),
  },
});

// biome-ignore lint/style/noDefaultExport: stands in for yargs, which has one
export default yargs;
