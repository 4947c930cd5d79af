/**
 * HTML by tagged template: every value is escaped, unless it is itself a piece of Html, made here. There is
 * no way to mark a string as safe, so a title out of somebody's file stays text wherever it is put.
 */
const text = Symbol('html')

export interface Html {
  readonly [text]: string
}

type Value = Html | readonly Html[] | string | number | boolean | null | undefined

/** null, undefined and false leave nothing; arrays of Html are joined. */
export function html(strings: TemplateStringsArray, ...values: Value[]): Html {
  return { [text]: strings.reduce((before, after, i) => before + render(values[i - 1]) + after) }
}

export function htmlText(piece: Html): string {
  return piece[text]
}

function render(value: Value): string {
  if (value === null || value === undefined || value === false) return ''
  if (Array.isArray(value)) return value.map(htmlText).join('')
  if (typeof value === 'object') return (value as Html)[text]
  return String(value).replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`)
}
