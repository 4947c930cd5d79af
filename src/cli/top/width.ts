/**
 * How wide text is in a terminal, and text cut or filled to a width. Control characters, which could move the cursor or worse,
 * become `?`: names come from the database, and who wrote them is not who reads them.
 */
import { harmless } from '../table.ts'

/** Columns that a character takes: Chinese, Japanese, Korean and most pictures two, marks that stand on another none. */
function columnsOf(char: string): number {
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(char)) return 0
  const code = char.codePointAt(0)!
  const isWide =
    code >= 0x1100 &&
    (code <= 0x115f ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xfe30 && code <= 0xfe6f) ||
      (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0x1f300 && code <= 0x1faff) ||
      (code >= 0x20000 && code <= 0x3fffd))
  return isWide ? 2 : 1
}

export function widthOf(text: string): number {
  let width = 0
  for (const char of text) width += columnsOf(char)
  return width
}

/** No wider than this; what is cut off is told by a `…`. */
export function clip(text: string, columns: number): string {
  const safe = harmless(text)
  if (widthOf(safe) <= columns) return safe
  let [kept, width] = ['', 0]
  for (const char of safe) {
    width += columnsOf(char)
    if (width > columns - 1) break
    kept += char
  }
  return columns > 0 ? `${kept}…` : ''
}

/** Exactly this wide. */
export function pad(text: string, columns: number): string {
  const cut = clip(text, columns)
  return cut + ' '.repeat(Math.max(0, columns - widthOf(cut)))
}
