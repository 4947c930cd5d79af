/**
 * What the palette offers for what was typed: pages whose name has the letters in their order, a run by its id, and a search. Pure.
 */
export interface Offer {
  path: string
  /** Without it, a page by its name. */
  kind: 'page' | 'run' | 'runs' | 'schedules'
  words: string
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function findOffers(
  typed: string,
  pages: readonly { path: string; words: string }[],
  may: { runs: boolean; schedules: boolean },
): Offer[] {
  const text = typed.trim()
  const named = pages
    .filter(({ words }) => hasLetters(words, text))
    .map(({ path, words }): Offer => ({ kind: 'page', path, words }))
  if (text === '') return named
  const encoded = encodeURIComponent(text)
  const found: Offer[] = []
  if (may.runs && UUID.test(text))
    found.push({ kind: 'run', path: `/resources/runs/records/${text.toLowerCase()}/show`, words: text })
  found.push(...named)
  if (may.runs) found.push({ kind: 'runs', path: `/resources/runs?q=${encoded}`, words: text })
  if (may.schedules) found.push({ kind: 'schedules', path: `/resources/schedules?q=${encoded}`, words: text })
  return found
}

/** Whether the letters typed come in `words` in their order. */
export function hasLetters(words: string, typed: string): boolean {
  const letters = [...typed.toLowerCase().replaceAll(/\s/g, '')]
  let at = 0
  for (const letter of words.toLowerCase()) if (letter === letters[at]) at++
  return at >= letters.length
}
