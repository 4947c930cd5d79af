/**
 * One run, with all there is to know of it: why it is as it is, how its time went, what it was given, gave and said, what belongs to
 * it, and what may be done with it. While it has not finished, the stream of the tab says when to look again.
 */
import { useEffect, useRef, type ReactNode } from 'react'
import {
  ApiProblem,
  Card,
  client,
  Copy,
  Duration,
  Empty,
  Json,
  Link,
  Loading,
  Page,
  t,
  Time,
  Trouble,
  useLive,
  useLoad,
  useMe,
  useNow,
  type AttemptDocument,
  type RunDocument,
  type TaskDocument,
} from '../kit/kit.ts'
import { StateOf } from './columns.tsx'
import { CopyAs } from './copy-as.tsx'
import { ErrorCard } from './error-card.tsx'
import { Family } from './family.tsx'
import { Logs } from './logs.tsx'
import { Timeline } from './timeline.tsx'
import { Verbs } from './verbs.tsx'
import { whyOf, type Around } from './why.ts'

/** A look without being told, for who has no stream. */
const LOOK_MS = 5000

interface Shown extends Around {
  run: RunDocument | null
  attempts: AttemptDocument[]
}

async function look(id: string, may: ReturnType<typeof useMe>['may']): Promise<Shown> {
  const run = await client.getRun(id).catch((error: unknown) => {
    if (error instanceof ApiProblem && error.status === 404) return null
    throw error
  })
  if (!run) return { run, attempts: [], queue: null, task: undefined }
  const waits = run.state === 'PENDING'
  const [attempts, queue, task] = await Promise.all([
    client.listAttempts(id).then(({ items }) => items),
    waits && may('queues:read') ? client.getQueue(run.queue).catch(() => null) : null,
    waits && may('tasks:read') ? findTask(run.task) : undefined,
  ])
  return { run, attempts, queue, task }
}

/** Out of all of them: one that nobody knows is no error here. */
async function findTask(name: string): Promise<TaskDocument | null> {
  const { items } = await client.listTasks()
  return items.find((task) => task.name === name) ?? null
}

export function RunShow({ recordId }: { recordId: string }): ReactNode {
  const { may } = useMe()
  const shown = useLoad(() => look(recordId, may), [recordId])
  const { value, error, reload } = shown
  const asking = useRef(false)
  asking.current = shown.loading
  useLive(({ event, data }) => {
    if (value?.run?.finished_at) return
    const told = event === 'runs' ? (data as { items: { id: string }[]; more: boolean }) : null
    const isMine = told?.more || told?.items.some(({ id }) => id === recordId)
    if ((event === 'open' || isMine) && !asking.current) reload()
  })
  useEffect(() => {
    if (!value || value.run?.finished_at) return
    const timer = setTimeout(reload, LOOK_MS)
    return () => clearTimeout(timer)
  }, [value])

  if (!value) return error ? <Trouble error={error} retry={reload} /> : <Loading />
  const { run } = value
  if (!run)
    return (
      <Page title={t('runs.notFound')}>
        <Empty title={t('runs.notFound')} actions={<Link to="/resources/runs">{t('runs.back')}</Link>}>
          {t('runs.notFoundText')}
        </Empty>
      </Page>
    )
  return (
    <Page
      title={run.task}
      lead={<Lead run={run} around={value} />}
      actions={<Verbs run={run} onChange={reload} />}
    >
      {error ? <Trouble error={error} retry={reload} /> : null}
      <div className="rb-run">
        <div className="rb-run-main">
          <ErrorCard run={run} />
          <Progress run={run} />
          <Timeline run={run} attempts={value.attempts} />
          <Logs id={run.id} />
          <Card title={t('runs.input')}>
            <Json value={run.input} label={t('runs.input')} />
          </Card>
          {run.state === 'SUCCESS' ? (
            <Card title={t('runs.result')}>
              <Json value={run.result} label={t('runs.result')} />
            </Card>
          ) : null}
        </div>
        <div className="rb-run-side">
          <Facts run={run} />
          <Family run={run} />
          <CopyAs run={run} />
        </div>
      </div>
    </Page>
  )
}

function Lead({ run, around }: { run: RunDocument; around: Around }): ReactNode {
  const now = useNow()
  return (
    <div className="rb-run-lead">
      <StateOf run={run} />
      <span role="status" className="rb-run-why">
        {whyOf(run, around, Math.max(now, Date.now()))}
      </span>
      <span className="rb-run-whole-id">
        <code>{run.id}</code> <Copy text={run.id} label={t('runs.id')} />
      </span>
    </div>
  )
}

function Progress({ run }: { run: RunDocument }): ReactNode {
  const { progress } = run
  if (!progress) return null
  const { current, total, percent, meta, at } = progress
  return (
    <Card title={t('runs.progress')}>
      <div className="rb-progress">
        <progress
          aria-label={t('runs.progress')}
          {...(total === null ? {} : { max: total || 1, value: Math.min(current, total) })}
        />
        <span className="rb-figure">
          {total === null ? current : `${current} / ${total}`}
          {percent === null ? '' : ` · ${percent} %`}
        </span>
        <Time at={at} />
      </div>
      {meta === null || meta === undefined ? null : <Json value={meta} label={t('runs.progress')} />}
    </Card>
  )
}

function Facts({ run }: { run: RunDocument }): ReactNode {
  const facts: [label: string, value: ReactNode][] = [
    [
      t('runs.queue'),
      <Link key="queue" to={`/resources/queues/records/${encodeURIComponent(run.queue)}/show`}>
        {run.queue}
      </Link>,
    ],
    [t('runs.attempt'), `${run.attempt} / ${run.attempts_max}`],
    [t('runs.worker'), run.worker],
    [t('runs.priority'), run.priority],
    [t('runs.created'), <Time key="created" at={run.created_at} plain />],
    [t('runs.runAt'), <Time key="run_at" at={run.run_at} plain />],
    [t('runs.started'), run.started_at && <Time key="started" at={run.started_at} plain />],
    [t('runs.finished'), run.finished_at && <Time key="finished" at={run.finished_at} plain />],
    [t('runs.expires'), run.expires_at && <Time key="expires" at={run.expires_at} plain />],
    [t('runs.timeLimit'), run.time_limit && <Duration key="limit" seconds={run.time_limit} />],
    [t('runs.redeliveries'), run.redeliveries || null],
    [t('runs.key'), run.unique_key],
    [t('runs.tags'), run.tags.join(', ')],
    [
      t('runs.schedule'),
      run.schedule && (
        <Link key="schedule" to={`/resources/schedules/records/${encodeURIComponent(run.schedule)}/show`}>
          {run.schedule}
        </Link>
      ),
    ],
    [t('runs.dueAt'), run.due_at && <Time key="due" at={run.due_at} plain />],
  ]
  return (
    <Card title={t('runs.details')}>
      <dl className="rb-run-facts">
        {facts
          .filter(([, value]) => value !== null && value !== undefined && value !== '')
          .map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      {Object.keys(run.headers).length > 0 ? <Json value={run.headers} label={t('runs.headers')} /> : null}
    </Card>
  )
}
