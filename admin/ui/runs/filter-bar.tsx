/**
 * What the list is asked for: a search in the words of the REST API, and a button for each state with how many there are. Counts are
 * looked up at most every few seconds, and are the same for everybody who looks.
 */
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { SEARCH_FIELDS } from '../../../src/results/search/search.ts'
import { Button, client, countText, Field, Input, localeTag, t, tOr, useLoad } from '../kit/kit.ts'
import { faultOf, queryOf, type Asked } from './asked.ts'

/** Buttons, and the states each stands for. */
const CHIPS = [
  { name: 'PENDING', states: ['PENDING'] },
  { name: 'SCHEDULED', states: ['SCHEDULED'] },
  { name: 'RETRY', states: ['RETRY'] },
  { name: 'STARTED', states: ['STARTED', 'PROGRESS'] },
  { name: 'SUCCESS', states: ['SUCCESS'] },
  { name: 'FAILURE', states: ['FAILURE'] },
  { name: 'REVOKED', states: ['REVOKED'] },
]
const COUNT_MS = 3000

export function FilterBar({
  asked,
  onAsk,
  turn,
}: {
  asked: Asked
  onAsk: (asked: Partial<Asked>) => void
  /** Another whenever something happened. */
  turn: number
}): ReactNode {
  return (
    <div className="rb-run-filter">
      <SearchField q={asked.q} onAsk={(q) => onAsk({ q })} />
      <StateChips asked={asked} onAsk={onAsk} turn={turn} />
    </div>
  )
}

function SearchField({ q, onAsk }: { q: string; onAsk: (q: string) => void }): ReactNode {
  const [text, setText] = useState(q)
  useEffect(() => setText(q), [q])
  const fault = text === '' ? null : faultOf(text)
  const last = /(?:^|\s)-?([a-z_]+)$/.exec(text)?.[1]
  const hints = last ? SEARCH_FIELDS.filter((field) => field.startsWith(last) && field !== last) : []
  return (
    <form
      role="search"
      className="rb-run-filter-search"
      onSubmit={(event) => {
        event.preventDefault()
        if (!fault) onAsk(text.trim())
      }}
    >
      <Field label={t('runs.search')} hint={<code>{t('runs.searchHint')}</code>} error={fault}>
        <Input
          type="search"
          value={text}
          onChange={(next) => {
            setText(next)
            if (next === '') onAsk('')
          }}
          data-search
        />
      </Field>
      <Button type="submit">{t('runs.find')}</Button>
      {hints.length > 0 ? (
        <div className="rb-run-filter-hints" role="group" aria-label={t('runs.fields')}>
          {hints.slice(0, 8).map((field) => (
            <Button
              key={field}
              kind="quiet"
              onClick={() => setText(`${text.slice(0, text.length - last!.length)}${field}:`)}
            >
              {field}
            </Button>
          ))}
        </div>
      ) : null}
    </form>
  )
}

function StateChips({
  asked,
  onAsk,
  turn,
}: {
  asked: Asked
  onAsk: (asked: Partial<Asked>) => void
  turn: number
}): ReactNode {
  const slow = useSlowed(turn, COUNT_MS)
  const counts = useLoad(() => client.countRuns(queryOf({ q: asked.q, states: [] })), [asked.q, slow])
  const all = CHIPS.flatMap(({ states }) => states)
  return (
    <div className="rb-chips" role="group" aria-label={t('runs.states')}>
      <Chip label={t('runs.all')} isOn={asked.states.length === 0} onClick={() => onAsk({ states: [] })} />
      {CHIPS.map(({ name, states }) => {
        const own = counts.value?.items.filter(({ state }) => states.includes(state)) ?? []
        const count = own.reduce((sum, one) => sum + one.count, 0)
        const isOn = states.every((state) => asked.states.includes(state))
        const others = asked.states.filter((state) => all.includes(state) && !states.includes(state))
        return (
          <Chip
            key={name}
            label={tOr(`states.${name}`, name)}
            tone={name.toLowerCase()}
            count={
              own.length > 0
                ? countText(
                    count,
                    localeTag(),
                    own.some(({ capped }) => capped),
                  )
                : null
            }
            isOn={isOn}
            onClick={() => onAsk({ states: isOn ? others : [...others, ...states] })}
          />
        )
      })}
    </div>
  )
}

function Chip({
  label,
  count = null,
  isOn,
  tone = 'all',
  onClick,
}: {
  label: string
  count?: string | null
  isOn: boolean
  tone?: string
  onClick: () => void
}): ReactNode {
  return (
    <button type="button" className={`rb-chip rb-chip-${tone}`} aria-pressed={isOn} onClick={onClick}>
      {label}
      {count === null ? null : <span className="rb-chip-count">{count}</span>}
    </button>
  )
}

/** The value, taken over at most once in so long. */
export function useSlowed(value: number, everyMs: number): number {
  const [slow, setSlow] = useState(value)
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null)
  const latest = useRef(value)
  latest.current = value
  useEffect(() => {
    if (value === slow || timer.current) return
    timer.current = setTimeout(() => {
      timer.current = null
      setSlow(latest.current)
    }, everyMs)
  }, [value])
  useEffect(() => () => clearTimeout(timer.current ?? undefined), [])
  return slow
}
