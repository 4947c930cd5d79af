/**
 * The words of the pages that need no script, signing in and out, in the reader's language. English is at hand; another language is read when
 * somebody first wishes it, and of it those few words are kept. A file that is not there costs nobody the sign-in: it is then in English.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { login } from '../locale/en/login.ts'
import type { Texts } from '../locale/texts.ts'

export interface Words {
  /** What to look a text up in, the first first. */
  of(tag: string): Promise<readonly Texts[]>
}

/** What bin/panel-build.mjs made of admin/locale. */
export function placeOfWords(tag: string): string {
  return fileURLToPath(new URL(`../dist/${tag}.json`, import.meta.url))
}

export function createWords(): Words {
  const known = new Map<string, Promise<readonly Texts[]>>([['en', Promise.resolve([{ login }])]])
  return Object.freeze({
    of(tag: string) {
      const words = known.get(tag) ?? readWords(tag)
      known.set(tag, words)
      return words
    },
  })
}

async function readWords(tag: string): Promise<readonly Texts[]> {
  const text = await readFile(placeOfWords(tag), 'utf8').catch(() => '{}')
  const own = (JSON.parse(text) as Texts).login
  return own ? [{ login: own }, { login }] : [{ login }]
}
