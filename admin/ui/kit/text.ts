/**
 * `t('runs.retry')`: the words of the viewer's language. The language is chosen by the viewer, else by the browser, and kept in
 * the browser. When it changes, the frame draws everything anew; so `t` is a plain function.
 */
import { BOOKS } from '../../locale/all.ts'
import { en } from '../../locale/en/all.ts'
import { browserTag, chooseLanguage, findText, LANGUAGES, type Values } from '../../locale/texts.ts'
import { createBox, type Box } from './box.ts'

type English = typeof en
type Word<Key extends string> = Key extends `${infer Stem}_${'one' | 'few' | 'many' | 'other'}` ? Stem : Key
export type TextKey = {
  [Noun in keyof English]: `${Noun}.${Word<keyof English[Noun] & string>}`
}[keyof English]

const STORED = 'rowbeat.language'

export const language: Box<string> = createBox(readLanguage())

export function t(key: TextKey, values?: Values): string {
  const tag = language.get()
  const own = BOOKS[tag]
  return findText(own ? [own, en] : [en], key, tag, values)
}

/** Of a word that came from the server, as a state: itself when there is no text for it. */
export function tOr(key: string, otherwise: string, values?: Values): string {
  const text = t(key as TextKey, values)
  return text === key ? otherwise : text
}

/** For Intl. */
export function localeTag(): string {
  return browserTag(language.get())
}

export function setLanguage(tag: string): void {
  store(tag)
  document.documentElement.lang = browserTag(tag)
  language.set(tag)
}

function readLanguage(): string {
  let stored: string | null = null
  try {
    stored = localStorage.getItem(STORED)
  } catch {
    // No storage, as in a private window of some browsers: the choice lasts as long as the page.
  }
  const known = LANGUAGES.some(({ tag }) => tag === stored)
  return known ? stored! : chooseLanguage(globalThis.navigator?.languages ?? [])
}

function store(tag: string): void {
  try {
    localStorage.setItem(STORED, tag)
  } catch {
    // As above.
  }
}
