/**
 * The next ten instants, while one types: on the clock of the schedule's zone and on the viewer's, with what a change of
 * either clock does to them. "From" turns the calendar to another day: what will the last Sunday of March be like?
 */
import { useEffect, useState, type ReactNode } from 'react'
import {
  absoluteText,
  Card,
  client,
  explain,
  Loading,
  localeTag,
  Table,
  t,
  Time,
  type Refusal,
} from '../kit/kit.ts'
import { timingOf, type Draft } from './draft.ts'
import { InstantField } from './instant-field.tsx'
import { viewerZone, type Faults } from './timing.tsx'

type Preview = Awaited<ReturnType<typeof client.previewTiming>>
type PreviewRequest = Parameters<typeof client.previewTiming>[0]

const COUNT = 10
const PAUSE_MS = 200

export interface Previewed {
  preview: Preview | null
  error: Refusal | null
  after: string
  setAfter: (at: string) => void
}

/** Asks once the viewer pauses; an answer that was overtaken is dropped. */
export function usePreview(draft: Draft): Previewed {
  const [after, setAfter] = useState('')
  const [state, setState] = useState<{ preview: Preview | null; error: Refusal | null }>({
    preview: null,
    error: null,
  })
  const asked = JSON.stringify({
    schedule: timingOf(draft.timing),
    count: COUNT,
    after: after || null,
    anchor_at: draft.timing.kind === 'interval' ? draft.anchor_at || null : null,
    start_at: draft.start_at || null,
    end_at: draft.end_at || null,
  })
  useEffect(() => {
    const over = new AbortController()
    const timer = setTimeout(() => {
      client.previewTiming(JSON.parse(asked) as PreviewRequest, { signal: over.signal }).then(
        (preview) => over.signal.aborted || setState({ preview, error: null }),
        (error: unknown) => over.signal.aborted || setState({ preview: null, error: explain(error) }),
      )
    }, PAUSE_MS)
    return () => {
      clearTimeout(timer)
      over.abort()
    }
  }, [asked])
  return { ...state, after, setAfter }
}

export function PreviewCard({ previewed, draft }: { previewed: Previewed; draft: Draft }): ReactNode {
  const { preview, error, after, setAfter } = previewed
  const zone = draft.timing.kind === 'crontab' ? draft.timing.timezone : 'UTC'
  return (
    <Card title={t('schedules.preview')} className="rb-preview">
      <div className="rb-stack">
        <p className="rb-words" aria-live="polite">
          {preview?.text ?? (error ? t('schedules.previewWrong') : '')}
        </p>
        <InstantField
          label={t('schedules.from')}
          hint={t('schedules.fromHint')}
          value={after}
          onChange={setAfter}
        />
        {preview ? (
          <Instants preview={preview} zone={zone} />
        ) : error ? (
          <p className="rb-fault">{error.text}</p>
        ) : (
          <Loading />
        )}
      </div>
    </Card>
  )
}

export function Instants({ preview, zone }: { preview: Preview; zone: string }): ReactNode {
  return (
    <>
      <Notes notes={preview.notes} />
      {preview.runs.length === 0 ? null : (
        <Table
          label={t('schedules.preview')}
          rows={preview.runs}
          keyOf={(run) => run.at}
          columns={[
            {
              key: 'zone',
              title: zone,
              isHead: true,
              render: (run) => (
                <>
                  <Wall local={run.local} />
                  {run.dst ? <div className="rb-hint">{t(DST[run.dst])}</div> : null}
                </>
              ),
            },
            {
              key: 'viewer',
              title: t('schedules.yourZone', { zone: viewerZone() }),
              render: (run) => (
                <>
                  <span className="rb-figure">{clockText(Date.parse(run.at), undefined)}</span>
                  <div className="rb-hint">
                    <Time at={run.at} />
                  </div>
                </>
              ),
            },
          ]}
        />
      )}
      {preview.changes.map(({ at, before, after }) => (
        <p key={at} className="rb-hint">
          {t('schedules.clockChanges', { at: absoluteText(at, localeTag(), zoneOr(zone)), before, after })}
        </p>
      ))}
    </>
  )
}

export function Notes({ notes }: { notes: readonly string[] }): ReactNode {
  return notes.length === 0 ? null : (
    <ul className="rb-notes">
      {notes.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  )
}

/** The faults of a preview, but those that only say that nothing was filled in yet. */
export function previewFaults({ error }: Previewed): Faults {
  return error?.faults ?? {}
}

const DST = {
  moved: 'schedules.dstMoved',
  'first-only': 'schedules.dstFirstOnly',
  'first-of-two': 'schedules.dstFirst',
  'second-of-two': 'schedules.dstSecond',
} as const

/** `Sun 29 Mar 03:00` of an instant, on a clock; seconds and year where they say something. */
function clockText(ms: number, timeZone: string | undefined): string {
  const isThisYear = new Date(ms).getUTCFullYear() === new Date().getUTCFullYear()
  return new Intl.DateTimeFormat(localeTag(), {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    ...(isThisYear ? {} : { year: 'numeric' }),
    hour: '2-digit',
    minute: '2-digit',
    ...(ms % 60_000 === 0 ? {} : { second: '2-digit' }),
    timeZone,
  }).format(ms)
}

/** Of what the server says of that clock: the wall's time, and its distance from UTC. */
function Wall({ local }: { local: string }): ReactNode {
  const [, wall = '', offset = ''] = /^(.{19})(?:\.\d+)?(.*)$/.exec(local) ?? []
  const ms = Date.parse(`${wall}Z`)
  if (Number.isNaN(ms)) return <span className="rb-figure">{local}</span>
  return (
    <>
      <span className="rb-figure">{clockText(ms, 'UTC')}</span>{' '}
      <span className="rb-hint">{offset === 'Z' ? 'UTC' : offset}</span>
    </>
  )
}

/** A zone that is still being typed is none. */
function zoneOr(zone: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
  } catch {
    return 'UTC'
  }
}
