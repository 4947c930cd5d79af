/**
 * The words of the panel, in every language: each says what English says and nothing else, with the same values in it, in as many forms by
 * number as it needs; and the pages ask for no word that is not there, nor is there one that no page asks for.
 */
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { en } from '../../admin/locale/en/all.ts'
import { browserTag, LANGUAGES, type Texts } from '../../admin/locale/texts.ts'

const english: Texts = en
const locale = new URL('../../admin/locale/', import.meta.url)
const FORM = /_(one|few|many|other)$/

/** Addresses of the keys that are made of what the server or a list says, and which keys each stands for. */
const FAMILIES: Readonly<Record<string, RegExp>> = {
  'audit.$': /^(rest|cli|panel|sql|hour|day|week|month)$/,
  'firings.reason_$': /^reason_/,
  'frame.$': /^(work|timing|access|light|dark|system|problems|runs|queues|workers|schedules|firings)$/,
  'problems.$': /^(no|queue|task|worker|run|schedule|operation|transaction|retention)_/,
  'runs.$': /^(retry|revoke|delete|move|purge|reschedule)$/,
  'runs.outcome_$': /^outcome_/,
  'runs.reason_$': /^reason_/,
  'runs.why_$': /^why_/,
  'schedules.$':
    /^(interval|crontab|clocked|solar|\w+seconds|seconds|minutes?|hours?|days|weeks|months|years|hourly|daily|weekdays|weekly|monthly|(day|month)_of_\w+|(dawn|dusk)_\w+|sunrise|solar_noon|sunset|latitude|longitude)$/,
  'schedules.$Hint': /^(latitude|longitude)Hint$/,
  'schedules.did_$': /^did_/,
  'schedules.why_$': /^why_/,
  'states.$': /^/,
  'users.$': /^(viewer|operator|admin)$/,
  'users.$Hint': /^(viewer|operator|admin)Hint$/,
}

function read(tag: string): Texts {
  return JSON.parse(readFileSync(new URL(`${tag}.json`, locale), 'utf8')) as Texts
}

function valuesIn(text: string): string {
  const names = [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  return [...new Set(names)].toSorted().join(' ')
}

/** `items_one` is a form of `items`; `paused_one` where there is no `paused` is a key. */
function stemOf(key: string, texts: Readonly<Record<string, string>>): string {
  const stem = key.replace(FORM, '')
  return stem in texts ? stem : key
}

/** The forms a count can need, beside the one that is for all others. */
function formsOf(tag: string): string[] {
  const rules = new Intl.PluralRules(browserTag(tag))
  const forms = Array.from({ length: 200 }, (_, count) => rules.select(count))
  return [...new Set(forms)].filter((form) => form !== 'other')
}

function findFaults(tag: string, book: Texts): string[] {
  const faults: string[] = []
  const forms = formsOf(tag)
  for (const [noun, source] of Object.entries(english)) {
    const own = book[noun] ?? {}
    const stems = Object.keys(source).filter((key) => stemOf(key, source) === key)
    const said = Object.keys(own).filter((key) => stemOf(key, own) === key)
    if (said.join() !== stems.join()) {
      const differing = [
        ...stems.filter((key) => !said.includes(key)),
        ...said.filter((key) => !stems.includes(key)),
      ]
      faults.push(`${tag} ${noun} has other keys than English: ${differing.join(' ') || 'their order'}`)
    }
    for (const [key, text] of Object.entries(own)) {
      const at = `${tag} ${noun}.${key}`
      const stem = stemOf(key, own)
      if (text.trim() === '' || text !== text.trim()) faults.push(`${at} is empty, or has space around it`)
      if (key === stem && valuesIn(text) !== valuesIn(source[stem] ?? ''))
        faults.push(`${at} has other values than English: ${text}`)
      const known = valuesIn(own[stem] ?? '').split(' ')
      if (
        !valuesIn(text)
          .split(' ')
          .every((name) => name === '' || known.includes(name))
      )
        faults.push(`${at} has a value that ${stem} has not: ${text}`)
      if (key !== stem && !forms.includes(FORM.exec(key)![1]!))
        faults.push(`${at} is a form that this language has not`)
      if (text === source[key] && text.split(' ').length > 3 && !text.includes(':'))
        faults.push(`${at} is English: ${text}`)
    }
    for (const key of Object.keys(source).filter((one) => stemOf(one, source) !== one))
      for (const form of forms)
        if (!(`${stemOf(key, source)}_${form}` in own))
          faults.push(`${tag} ${noun}.${stemOf(key, source)} lacks its form for ${form}`)
  }
  for (const noun of Object.keys(book)) if (!(noun in english)) faults.push(`${tag} ${noun} is no noun`)
  return faults
}

t.test('every language says what English says, and no more', async (t) => {
  const files = readdirSync(locale).filter((name) => name.endsWith('.json'))
  const tags = LANGUAGES.map(({ tag }) => tag).filter((tag) => tag !== 'en')
  t.strictSame(files.toSorted(), tags.map((tag) => `${tag}.json`).toSorted())
  for (const tag of tags) t.strictSame(findFaults(tag, read(tag)), [], tag)
})

t.test('what is wrong with a translation is found', async (t) => {
  const pl = read('pl')
  const faultsWith = (kit: Readonly<Record<string, string>>): string =>
    findFaults('pl', { ...pl, kit: { ...pl.kit, ...kit } }).join()
  t.match(faultsWith({ cancel: ' ' }), 'pl kit.cancel is empty')
  t.match(faultsWith({ copyThis: 'Kopiuj' }), 'pl kit.copyThis has other values')
  t.match(faultsWith({ items_few: '{number} elementy' }), 'pl kit.items_few has a value that items has not')
  t.match(faultsWith({ items_two: 'x' }), 'pl kit has other keys than English: items_two')
  t.match(faultsWith({ selectAll: en.kit.selectAll }), 'pl kit.selectAll is English')
  const { items_many: _, cancel: __, ...kit } = pl.kit!
  t.strictSame(findFaults('pl', { ...pl, kit }), [
    'pl kit has other keys than English: cancel',
    'pl kit.items lacks its form for many',
  ])
  t.match(findFaults('ja', { ...read('ja'), kit: { ...read('ja').kit, items_one: '{count} 件' } }), [
    'ja kit.items_one is a form that this language has not',
  ])
})

t.test('the pages ask for words that are there, and every word is asked for', async (t) => {
  const ui = new URL('../../admin/ui/', import.meta.url)
  const sources = readdirSync(ui, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => readFileSync(new URL(name, ui), 'utf8'))
    .join('\n')
  const login = readFileSync(new URL('../../admin/shell/login.ts', import.meta.url), 'utf8')
  const nouns = Object.keys(english).join('|')
  const asked = new Set([
    ...[...sources.matchAll(new RegExp(`['"\`]((?:${nouns})\\.\\w+)['"\`]`, 'g'))].map(([, key]) => key!),
    ...[...login.matchAll(/\bsay\('(\w+)'/g)].map(([, key]) => `login.${key}`),
  ])
  const called = [...sources.matchAll(/\bt(?:Or)?\(\s*['"`](\w+\.\w+)['"`]/g)].map(([, key]) => key!)
  t.ok(called.length > 400, `${called.length} texts are asked for by name`)
  const isThere = (key: string): boolean => {
    const [noun, word] = key.split('.') as [string, string]
    return english[noun] !== undefined && word in english[noun]
  }
  t.strictSame([...new Set(called)].filter((key) => !isThere(key)).toSorted(), [], 'asked for, but not there')

  const made = sources.matchAll(new RegExp(`\`((?:${nouns})\\.\\w*)\\$\\{[^}]*\\}(\\w*)\``, 'g'))
  const families = new Set([...made].map(([, start, end]) => `${start}$${end}`))
  t.strictSame([...families].toSorted(), Object.keys(FAMILIES).toSorted(), 'keys that are made of others')

  const unused = Object.entries(english).flatMap(([noun, texts]) =>
    Object.keys(texts)
      .filter((key) => stemOf(key, texts) === key && !asked.has(`${noun}.${key}`))
      .filter(
        (key) =>
          !Object.entries(FAMILIES).some(([start, of]) => start.split('.')[0] === noun && of.test(key)),
      )
      .map((key) => `${noun}.${key}`),
  )
  t.strictSame(unused, [], 'there, but not asked for')
})
