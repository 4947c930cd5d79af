/** The tries of a run: a bar of how its time went, and each try in words. */
import type { ReactNode } from 'react'
import {
  Card,
  Duration,
  durationText,
  t,
  Time,
  tOr,
  useNow,
  type AttemptDocument,
  type RunDocument,
} from '../kit/kit.ts'
import { secondsBetween } from './columns.tsx'
import { segmentsOf, triesOf, type Try } from './tries.ts'

export function Timeline({
  run,
  attempts,
}: {
  run: RunDocument
  attempts: readonly AttemptDocument[]
}): ReactNode {
  const tries = triesOf(run, attempts)
  return (
    <Card title={t('runs.timeline')}>
      <Strip run={run} tries={tries} />
      <ol className="rb-tries">
        <li>
          <span className="rb-try-name">{t('runs.enqueued')}</span>
          <Time at={run.created_at} />
          {run.run_at === run.created_at ? null : (
            <>
              <span>{t('runs.mayRun')}</span> <Time at={run.run_at} />
            </>
          )}
        </li>
        {tries.map((one, at) => (
          <TryLine key={at} one={one} since={at === 0 ? run.run_at : (tries[at - 1]!.retry_at ?? null)} />
        ))}
      </ol>
    </Card>
  )
}

function TryLine({ one, since }: { one: Try; since: string | null }): ReactNode {
  const now = useNow()
  const { number, outcome, worker, started_at, finished_at, error, retry_at } = one
  return (
    <li>
      <span className="rb-try-name">{t('runs.tryNumber', { number })}</span>
      <span className={`rb-try-outcome rb-try-${outcome.toLowerCase()}`}>
        {tOr(`runs.outcome_${outcome}`, outcome)}
      </span>
      <Time at={started_at ?? finished_at} />
      {started_at && since && Date.parse(started_at) > Date.parse(since) ? (
        <span>{t('runs.waited', { time: durationText(secondsBetween(since, started_at)) })}</span>
      ) : null}
      {started_at ? (
        <span>{t('runs.ran', { time: durationText(secondsBetween(started_at, finished_at ?? now)) })}</span>
      ) : null}
      {worker ? <code>{worker}</code> : null}
      {error ? <span className="rb-try-error">{`${error.name ?? ''}: ${error.message ?? ''}`}</span> : null}
      {retry_at && finished_at ? (
        <span>{t('runs.backoff', { time: durationText(secondsBetween(finished_at, retry_at)) })}</span>
      ) : null}
    </li>
  )
}

/** Its whole time as a bar: what is no wider than a hair is still seen. */
function Strip({ run, tries }: { run: RunDocument; tries: readonly Try[] }): ReactNode {
  const now = useNow()
  const segments = segmentsOf(run, tries, Math.max(now, Date.now()))
  const fromMs = segments[0]?.fromMs ?? 0
  const length = Math.max(1, (segments.at(-1)?.untilMs ?? 1) - fromMs)
  const sum = (kind: string): number =>
    segments
      .filter((one) => one.kind === kind)
      .reduce((all, { fromMs: from, untilMs }) => all + (untilMs - from) / 1000, 0)
  if (segments.length === 0) return null
  return (
    <div className="rb-spans">
      <svg viewBox="0 0 1000 16" preserveAspectRatio="none" role="img" aria-label={t('runs.timeline')}>
        {segments.map(({ kind, fromMs: from, untilMs }, at) => (
          <rect
            key={at}
            x={(1000 * (from - fromMs)) / length}
            width={Math.max(2, (1000 * (untilMs - from)) / length)}
            height="16"
            className={`rb-spans-${kind}`}
          />
        ))}
      </svg>
      <p className="rb-spans-words">
        <span className="rb-key rb-spans-wait">{t('runs.segment_wait')}</span>{' '}
        <Duration seconds={sum('wait')} />
        <span className="rb-key rb-spans-run">{t('runs.segment_run')}</span> <Duration seconds={sum('run')} />
      </p>
    </div>
  )
}
