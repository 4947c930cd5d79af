/** What a row of the list may show. Which columns are shown stands in the address. */
import type { ReactNode } from 'react'
import {
  Check,
  Duration,
  Link,
  State,
  t,
  Time,
  tOr,
  useNow,
  type Column,
  type RunDocument,
  type TextKey,
} from '../kit/kit.ts'

type RunColumn = Column<RunDocument> & { text: TextKey }

const make = (
  key: string,
  text: TextKey,
  render: RunColumn['render'],
  more: Partial<RunColumn> = {},
): RunColumn => ({ key, text, title: '', render, ...more })

const ALL: readonly RunColumn[] = [
  make(
    'task',
    'runs.task',
    (run) => (
      <Link to={runPath(run.id)} className="rb-run-name">
        <span className="rb-run-task">{run.task}</span>
        <code className="rb-run-id">{shortId(run.id)}</code>
      </Link>
    ),
    { isHead: true },
  ),
  make('state', 'runs.state', (run) => <StateOf run={run} />),
  make('note', 'runs.note', (run) => <Note run={run} />, { className: 'rb-run-note' }),
  make('queue', 'runs.queue', (run) => run.queue),
  make('created', 'runs.created', (run) => <Time at={run.created_at} />),
  make('wait', 'runs.wait', (run) => <Wait run={run} />, { align: 'right' }),
  make('duration', 'runs.duration', (run) => <Took run={run} />, { align: 'right' }),
  make('attempt', 'runs.attempt', (run) => `${run.attempt}/${run.attempts_max}`, { align: 'right' }),
  make('worker', 'runs.worker', (run) => run.worker ?? '–'),
  make('priority', 'runs.priority', (run) => run.priority, { align: 'right' }),
  make('tags', 'runs.tags', (run) => run.tags.join(', ') || '–'),
  make('schedule', 'runs.schedule', (run) => run.schedule ?? '–'),
  make('runAt', 'runs.runAt', (run) => <Time at={run.run_at} />),
  make('finished', 'runs.finished', (run) => <Time at={run.finished_at} />),
  make('input', 'runs.input', (run) => <code className="rb-cut">{cut(run.input)}</code>),
]
const USUAL = ['task', 'state', 'note', 'queue', 'created', 'duration', 'attempt']

export function columnsOf(chosen: string | undefined): RunColumn[] {
  const keys = chosen ? chosen.split(',') : USUAL
  return ALL.filter(({ key }) => key === 'task' || keys.includes(key)).map((column) => ({
    ...column,
    title: t(column.text),
  }))
}

export function ColumnChoice({
  chosen,
  onChange,
}: {
  chosen: string | undefined
  onChange: (chosen: string | null) => void
}): ReactNode {
  const keys = chosen ? chosen.split(',') : USUAL
  const choose = (key: string, isShown: boolean): void => {
    const next = ALL.map((column) => column.key).filter((one) => (one === key ? isShown : keys.includes(one)))
    onChange(next.join() === USUAL.join() ? null : next.join())
  }
  return (
    <details className="rb-fold rb-columns">
      <summary>{t('runs.columns')}</summary>
      <div className="rb-fold-body">
        {ALL.filter(({ key }) => key !== 'task').map(({ key, text }) => (
          <Check
            key={key}
            label={t(text)}
            checked={keys.includes(key)}
            onChange={(isShown) => choose(key, isShown)}
          />
        ))}
      </div>
    </details>
  )
}

export function runPath(id: string): string {
  return `/resources/runs/records/${id}/show`
}

/** The end of a UUIDv7 tells runs apart; its beginning is the time. */
export function shortId(id: string): string {
  return `…${id.slice(-8)}`
}

export function reasonText(reason: string | null): string | null {
  return reason === null ? null : tOr(`runs.reason_${reason}`, reason)
}

export function StateOf({ run }: { run: RunDocument }): ReactNode {
  const { state, progress } = run
  return (
    <span className="rb-run-state">
      <State state={state} title={reasonText(run.reason) ?? undefined} />
      {state === 'PROGRESS' && progress?.percent != null ? (
        <progress max={100} value={progress.percent} aria-label={t('runs.progress')} />
      ) : null}
    </span>
  )
}

/** In a line, what one would open the run for. */
function Note({ run }: { run: RunDocument }): ReactNode {
  const { error, progress, reason, state } = run
  if (error) return <span className="rb-cut">{`${error.name}: ${error.message}`}</span>
  if (progress && (state === 'STARTED' || state === 'PROGRESS'))
    return progress.total === null ? String(progress.current) : `${progress.current} / ${progress.total}`
  return reasonText(reason) ?? '–'
}

export function secondsBetween(from: string, to: string | number): number {
  return Math.max(0, ((typeof to === 'number' ? to : Date.parse(to)) - Date.parse(from)) / 1000)
}

function Took({ run }: { run: RunDocument }): ReactNode {
  const now = useNow()
  if (!run.started_at) return '–'
  const isOver = run.finished_at !== null || !isRunning(run)
  if (isOver && !run.finished_at) return '–'
  return <Duration seconds={secondsBetween(run.started_at, run.finished_at ?? now)} />
}

function Wait({ run }: { run: RunDocument }): ReactNode {
  const now = useNow()
  if (Date.parse(run.run_at) > now && !run.started_at) return '–'
  return <Duration seconds={secondsBetween(run.run_at, run.started_at ?? run.finished_at ?? now)} />
}

export function isRunning({ state }: Pick<RunDocument, 'state'>): boolean {
  return state === 'STARTED' || state === 'PROGRESS'
}

function cut(value: unknown): string {
  const text = JSON.stringify(value) ?? ''
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}
