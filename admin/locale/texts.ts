/**
 * The words of the panel. English is the source: admin/locale/en has a file for each noun. Another language is one file of data, as
 * de.json, and what it lacks is shown in English. A text has `{name}` where a value goes; where a language needs several forms by
 * number, the text of key `n` has `n_one`, `n_few` and so on beside it, chosen by `{count}`. Pure, so that a test can hold every
 * language against English.
 */
export type Texts = Readonly<Record<string, Readonly<Record<string, string>>>>
export type Values = Readonly<Record<string, string | number>>

export interface Language {
  /** As browsers name it. */
  tag: string
  /** As its speakers name it. */
  name: string
}

/** Those that AdminJS knows, by its names. */
export const LANGUAGES: readonly Language[] = [
  { tag: 'en', name: 'English' },
  { tag: 'de', name: 'Deutsch' },
  { tag: 'es', name: 'Español' },
  { tag: 'it', name: 'Italiano' },
  { tag: 'ja', name: '日本語' },
  { tag: 'pl', name: 'Polski' },
  { tag: 'pt-BR', name: 'Português (Brasil)' },
  { tag: 'ua', name: 'Українська' },
  { tag: 'zh-CN', name: '中文（简体）' },
]

/** AdminJS says `ua` for what is `uk`. */
export function browserTag(tag: string): string {
  return tag === 'ua' ? 'uk' : tag
}

/** The language of the panel that fits best, by the reader's wishes. */
export function chooseLanguage(wishes: readonly string[]): string {
  for (const wish of wishes) {
    const lower = wish.toLowerCase()
    const exact = LANGUAGES.find(({ tag }) =>
      [tag, browserTag(tag)].some((one) => one.toLowerCase() === lower),
    )
    if (exact) return exact.tag
    const start = lower.split('-')[0]!
    const near = LANGUAGES.find(({ tag }) => browserTag(tag).toLowerCase().split('-')[0] === start)
    if (near) return near.tag
  }
  return 'en'
}

/** The text of `noun.key`, first found in these; the key itself when nobody knows it. */
export function findText(books: readonly Texts[], key: string, tag: string, values: Values = {}): string {
  const [noun, word] = split(key)
  const { count } = values
  const form = typeof count === 'number' ? new Intl.PluralRules(browserTag(tag)).select(count) : null
  const told =
    typeof count === 'number'
      ? { ...values, count: new Intl.NumberFormat(browserTag(tag)).format(count) }
      : values
  for (const book of books) {
    const texts = book[noun]
    const text = (form && texts?.[`${word}_${form}`]) || texts?.[word]
    if (text !== undefined) return fill(text, told)
  }
  return key
}

function split(key: string): [string, string] {
  const at = key.indexOf('.')
  return [key.slice(0, at), key.slice(at + 1)]
}

function fill(text: string, values: Values): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
