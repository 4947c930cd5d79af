/**
 * `t('runs.retry')`: the words of the viewer's language. The language is chosen by the viewer, else by the browser, and kept in
 * the browser. English is in the script; another language is a file that is fetched when it is chosen, and nothing is drawn
 * before the first one is there. One that does not come leaves English, as does a text that it lacks. When the language changes, the
 * frame draws everything anew; so `t` is a plain function.
 */
import { en } from '../../locale/en/all.ts'
import {
  browserTag,
  chooseLanguage,
  findText,
  LANGUAGES,
  type Texts,
  type Values,
} from '../../locale/texts.ts'
import { createBox, type Box } from './box.ts'
import * as figures from './figures.ts'

type English = typeof en
type Word<Key extends string> = Key extends `${infer Stem}_${'one' | 'few' | 'many' | 'other'}` ? Stem : Key
export type TextKey = {
  [Noun in keyof English]: `${Noun}.${Word<keyof English[Noun] & string>}`
}[keyof English]

const STORED = 'rowbeat.language'

/** What is spoken; empty until the first words are there. */
export const language: Box<string> = createBox('')

const asked: Box<string> = createBox('')
const own: Box<Texts | null> = createBox<Texts | null>(null)

export function t(key: TextKey, values?: Values): string {
  const texts = own.get()
  return findText(texts ? [texts, en] : [en], key, language.get() || 'en', values)
}

/** Of a word that came from the server, as a state: itself when there is no text for it. */
export function tOr(key: string, otherwise: string, values?: Values): string {
  const text = t(key as TextKey, values)
  return text === key ? otherwise : text
}

/** For Intl. */
export function localeTag(): string {
  const tag = browserTag(language.get() || 'en')
  // English as the reader's own browser has it: 17:05 or 5:05 PM.
  return navigator.languages.find((wish) => wish.toLowerCase().startsWith(`${tag.toLowerCase()}-`)) ?? tag
}

/** `1.25 s`, in the language of the viewer. */
export function durationText(seconds: number): string {
  return figures.durationText(seconds, localeTag())
}

/** `12.3 MB`, in the language of the viewer. */
export function bytesText(bytes: number): string {
  return figures.bytesText(bytes, localeTag())
}

/** The language of before; at once where that is English. */
export function speak(): void {
  const tag = readLanguage()
  if (tag === 'en') use('en', null)
  else void change(tag)
}

export function setLanguage(tag: string): void {
  store(tag)
  void change(tag)
}

async function change(tag: string): Promise<void> {
  asked.set(tag)
  const texts = tag === 'en' ? null : await fetchTexts(tag).catch(() => undefined)
  // Meanwhile another may have been chosen.
  if (asked.get() !== tag) return
  if (texts !== undefined) use(tag, texts)
  else if (language.get() === '') use('en', null)
}

function use(tag: string, texts: Texts | null): void {
  own.set(texts)
  document.documentElement.lang = browserTag(tag)
  language.set(tag)
}

async function fetchTexts(tag: string): Promise<Texts | undefined> {
  const { ROWBEAT_WORDS: places } = globalThis as { ROWBEAT_WORDS?: Record<string, string> }
  const address = places?.[tag]
  const answer = address ? await fetch(address) : null
  return answer?.ok ? ((await answer.json()) as Texts) : undefined
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
