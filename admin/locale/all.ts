/** Every language that the panel has words of. A new one is a folder like `en` and a line here. */
import { en } from './en/all.ts'
import type { Texts } from './texts.ts'

export const BOOKS: Readonly<Record<string, Texts>> = { en }
