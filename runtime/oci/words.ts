/** Sets of words as one string, ` a b c `: a table that needs nothing built before it is asked. */

/** Whether the set has the word. A text of several words is none of them. */
export function hasWord(words: string, word: string): boolean {
  return words.includes(` ${word} `) && !word.includes(" ");
}
