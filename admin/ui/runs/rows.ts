/**
 * The rows of the list. A page is asked for when the search changes; after that the stream of the whole tab says which runs moved, and
 * those on the screen are changed in place. New ones are counted, not pushed in: a list that moves under the pointer is no list
 * to click in.
 */
import { useEffect, useRef, useState } from 'react'
import { client, useLive, useLoad, type Loaded, type RunDocument } from '../kit/kit.ts'
import { isAsked, queryOf, type Asked, type ShortRun } from './asked.ts'

const LIMIT = 50
/** A search for something rare answers pages with few rows: so many are asked for until one is full. */
const LOOKS_MAX = 8

interface Pages {
  items: RunDocument[]
  next: string | null
}

export interface Rows {
  items: readonly RunDocument[]
  first: Loaded<Pages>
  /** Newer runs that are not shown; `unsure`: there may be some. */
  fresh: { count: number; unsure: boolean }
  /** Ids that moved a moment ago. */
  moved: ReadonlySet<string>
  onMore: (() => void) | null
  busy: boolean
  error: unknown
  reload(): void
}

async function look(asked: Asked, from: string | null): Promise<Pages> {
  const items: RunDocument[] = []
  let next = from
  for (let i = 0; i < LOOKS_MAX; i++) {
    const page = await client.listRuns({ ...queryOf(asked), limit: LIMIT, cursor: next })
    items.push(...page.items)
    next = page.next
    if (next === null || items.length >= LIMIT / 2) break
  }
  return { items, next }
}

export function useRows(asked: Asked, onNews: () => void): Rows {
  const key = JSON.stringify(queryOf(asked))
  const first = useLoad(() => look(asked, null), [key])
  const [behind, setBehind] = useState<Pages | null>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [news, setNews] = useState<ReadonlyMap<string, ShortRun>>(new Map())
  const [fresh, setFresh] = useState<{ ids: ReadonlySet<string>; unsure: boolean }>(NOTHING)
  const answer = useRef(first.value)
  answer.current = first.value
  const keyNow = useRef(key)
  keyNow.current = key

  useEffect(() => {
    setBehind(null)
    setError(null)
    setNews(new Map())
    setFresh(NOTHING)
  }, [first.value])

  const all = [...(first.value?.items ?? []), ...(behind?.items ?? [])]
  /** What happened before the stream stood was told to nobody: one look finds it. */
  const catchUp = (): void => {
    look(asked, null).then(
      ({ items }) => {
        if (!answer.current || keyNow.current !== key) return
        const top = answer.current.items[0]?.id ?? ''
        setNews(
          (before) => new Map([...items.map((run) => [run.id, { ...run } as ShortRun] as const), ...before]),
        )
        const newer = items.filter(({ id }) => id > top).map(({ id }) => id)
        setFresh((before) => ({ ...before, ids: new Set([...before.ids, ...newer]) }))
      },
      () => {},
    )
  }
  const [stands, setStands] = useState(0)
  const isLoaded = first.value !== undefined
  useEffect(() => {
    if (stands > 0 && isLoaded) catchUp()
  }, [stands, isLoaded])
  useLive(({ event, data }) => {
    if (event === 'open') {
      setStands((before) => before + 1)
      return onNews()
    }
    if (event !== 'runs' || !answer.current) return
    onNews()
    const told = data as { items: ShortRun[]; more: boolean }
    const shown = new Set(all.map(({ id }) => id))
    const top = answer.current.items[0]?.id ?? ''
    const mine = told.items.filter(({ id }) => shown.has(id))
    if (mine.length > 0)
      setNews((before) => new Map([...before, ...mine.map((run) => [run.id, run] as const)]))
    const newer = told.items.filter(({ id }) => !shown.has(id) && id > top)
    const asking = newer.map((run) => ({ id: run.id, is: isAsked(run, asked) }))
    const sure = asking.filter(({ is }) => is === true).map(({ id }) => id)
    const unsure = told.more || asking.some(({ is }) => is === null)
    if (sure.length > 0 || unsure)
      setFresh((before) => ({ ids: new Set([...before.ids, ...sure]), unsure: before.unsure || unsure }))
  })

  const next = behind ? behind.next : (first.value?.next ?? null)
  const more = (): void => {
    setBusy(true)
    look(asked, next)
      .then(({ items, next: after }) => {
        setBehind((before) => ({ items: [...(before?.items ?? []), ...items], next: after }))
        setError(null)
      }, setError)
      .finally(() => setBusy(false))
  }
  return {
    items: all.map((run) => withNews(run, news.get(run.id))),
    first,
    fresh: { count: fresh.ids.size, unsure: fresh.unsure },
    moved: new Set([...news].filter(([, run]) => !('input' in run)).map(([id]) => id)),
    onMore: next === null ? null : more,
    busy: busy || (first.loading && first.value === undefined),
    error,
    reload: first.reload,
  }
}

const NOTHING = { ids: new Set<string>(), unsure: false }

/** What the stream tells is short: the rest stays as it was read. */
function withNews(run: RunDocument, news: ShortRun | undefined): RunDocument {
  return news ? ({ ...run, ...news } as RunDocument) : run
}
