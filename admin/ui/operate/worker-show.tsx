/** One worker: how it is, what it runs now, and everything that it can be told. */
import { useState, type ReactNode } from 'react'
import {
  bytesText,
  Button,
  Card,
  client,
  Code,
  countText,
  Dialog,
  Duration,
  Empty,
  Field,
  Input,
  Link,
  Loading,
  localeTag,
  Page,
  request,
  Select,
  State,
  t,
  Table,
  Time,
  Trouble,
  useLoad,
  useMe,
  type RunDocument,
  type WorkerDocument,
} from '../kit/kit.ts'
import type { CommandRecord } from '../../../src/db/statements/control.ts'
import { useFigures, useRefresh } from './live.ts'
import { queuePlace, quoted, runPlace, runsPlace } from './places.ts'
import { FormDialog, useForm } from './form-dialog.tsx'
import { Lag, Skew, WorkerState } from './worker-figures.tsx'
import { quiet, sayTold, stop, unquiet } from './worker-verbs.ts'

const LOOK_S = 5
const LONG_LOOK_S = 30
const SHOWN = 100
/** A worker hears of it with its next sign of life, and reading a stack takes a moment. */
const PATIENCE_S = 10

export function WorkerShow({ recordId: name }: { recordId: string }): ReactNode {
  const asked = useLoad(() => client.getWorker(name), [name])
  const runs = useLoad(
    () => client.listRuns({ state: 'STARTED,PROGRESS', q: `worker:${quoted(name)}`, limit: SHOWN }),
    [name],
  )
  const figures = useFigures()
  useRefresh(asked.reload, LONG_LOOK_S, (told) => {
    const { slots, quiet, stopping } = told.workers.find((worker) => worker.name === name) ?? {}
    return `${slots} ${quiet} ${stopping}`
  })
  useRefresh(runs.reload, LOOK_S)
  const { value, error, reload } = asked
  const now = figures?.workers.find((worker) => worker.name === name)
  const worker = value && now ? { ...value, ...now, running: value.running } : value
  return (
    <Page
      title={name}
      lead={
        worker ? (
          <span className="rb-row">
            <WorkerState {...worker} unseen={now?.unseen ?? 0} />
            {worker.hostname} · {t('workers.process', { pid: worker.pid })}
          </span>
        ) : null
      }
      actions={worker && !error ? <Actions worker={worker} reload={reload} /> : null}
    >
      {error ? (
        <>
          <Trouble error={error} retry={reload} />
          <Empty title={t('workers.gone')}>{t('workers.goneText', { name })}</Empty>
        </>
      ) : null}
      {worker ? (
        <>
          <Tiles worker={worker} running={now?.running ?? worker.running.length} rate={now?.rate ?? null} />
          <Card
            title={t('workers.runs')}
            actions={<Link to={runsPlace({ q: `worker:${quoted(name)}` })}>{t('queues.showRuns')}</Link>}
          >
            <Running runs={runs.value?.items ?? []} />
          </Card>
          <Facts worker={worker} />
        </>
      ) : null}
      {!worker && !error ? <Loading /> : null}
    </Page>
  )
}

function Actions({ worker, reload }: { worker: WorkerDocument; reload: () => void }): ReactNode {
  const { may } = useMe()
  const [open, setOpen] = useState<'stacks' | 'concurrency' | null>(null)
  if (!may('workers:write')) return null
  const after = (work: Promise<boolean>): void => void work.then((isDone) => isDone && reload())
  return (
    <>
      {worker.quiet ? (
        <Button kind="primary" onClick={() => after(unquiet(worker))}>
          {t('workers.unquiet')}
        </Button>
      ) : (
        <Button onClick={() => after(quiet(worker))}>{t('workers.quiet')}</Button>
      )}
      <Button onClick={() => setOpen('concurrency')}>{t('workers.concurrency')}</Button>
      <Button onClick={() => setOpen('stacks')}>{t('workers.stacks')}</Button>
      <Button kind="danger" disabled={worker.stopping} onClick={() => after(stop(worker))}>
        {t('workers.stop')}
      </Button>
      {open === 'stacks' ? <Stacks name={worker.name} onClose={() => setOpen(null)} /> : null}
      {open === 'concurrency' ? (
        <ConcurrencyDialog worker={worker} onClose={() => setOpen(null)} onDone={reload} />
      ) : null}
    </>
  )
}

/** The stack of its main thread and what runs: asked anew each time it is opened. */
function Stacks({ name, onClose }: { name: string; onClose: () => void }): ReactNode {
  const { value, error } = useLoad(
    () =>
      request<CommandRecord>('POST', `/v1/control/dump_stacks?timeout=${PATIENCE_S}`, { workers: [name] }),
    [name],
  )
  return (
    <Dialog title={t('workers.stacksTitle')} onClose={onClose} wide>
      {error ? <Trouble error={error} /> : null}
      {!value && !error ? <Loading /> : null}
      {value?.replies.length === 0 ? <Empty title={t('workers.stacksNone')} /> : null}
      {value?.replies.map(({ worker, reply }) => (
        <Code key={worker} label={worker} text={stackOf(reply)} />
      ))}
      <div className="rb-dialog-actions">
        <Button onClick={onClose}>{t('kit.close')}</Button>
      </div>
    </Dialog>
  )
}

function stackOf(reply: unknown): string {
  const { stack, note, ...rest } = (reply ?? {}) as { stack?: string | null; note?: string }
  return [stack ?? note ?? '', JSON.stringify(rest, null, 2)].filter(Boolean).join('\n\n')
}

function ConcurrencyDialog({
  worker: { name, queues },
  onClose,
  onDone,
}: {
  worker: WorkerDocument
  onClose: () => void
  onDone: () => void
}): ReactNode {
  const [queue, setQueue] = useState('')
  const [count, setCount] = useState(String(Math.max(1, ...Object.values(queues))))
  const form = useForm(async () => {
    const command = await client.controlWorkers('set_concurrency', {
      workers: [name],
      concurrency: Number(count),
      ...(queue ? { queue } : {}),
    })
    sayTold(name, command)
    onDone()
    onClose()
  })
  return (
    <FormDialog
      title={t('workers.concurrencyTitle', { name })}
      action={t('workers.set')}
      form={form}
      isReady={/^\d+$/.test(count)}
      onClose={onClose}
    >
      <Field label={t('workers.atOnce')} error={form.fault('/concurrency')}>
        <Input inputMode="numeric" value={count} onChange={setCount} />
      </Field>
      <Field label={t('workers.inQueue')} error={form.fault('/queue')}>
        <Select
          value={queue}
          onChange={setQueue}
          options={[{ value: '', label: t('workers.everyQueue') }, ...Object.keys(queues)]}
        />
      </Field>
    </FormDialog>
  )
}

function Tiles({
  worker,
  running,
  rate,
}: {
  worker: WorkerDocument
  running: number
  rate: number | null
}): ReactNode {
  const slots = Object.values(worker.queues).reduce((sum, n) => sum + n, 0)
  const tiles: [string, ReactNode][] = [
    [t('workers.running'), t('workers.ofSlots', { running, slots })],
    [t('workers.rate'), rate === null ? '–' : countText(Math.round(rate * 10) / 10, localeTag())],
    [t('workers.memory'), worker.rss_bytes === null ? '–' : bytesText(worker.rss_bytes)],
    [t('workers.lag'), <Lag key="lag" ms={worker.loop_lag_ms} />],
    [t('workers.skew'), <Skew key="skew" ms={worker.clock_skew_ms} />],
  ]
  return (
    <div className="rb-tiles">
      {tiles.map(([name, value]) => (
        <div key={name} className="rb-tile">
          <div className="rb-tile-name">{name}</div>
          <div className="rb-tile-value">{value}</div>
        </div>
      ))}
    </div>
  )
}

function Running({ runs }: { runs: readonly RunDocument[] }): ReactNode {
  const spent = ({ started_at: at }: RunDocument): number | null =>
    at === null ? null : Math.max(0, (Date.now() - Date.parse(at)) / 1000)
  return (
    <Table
      label={t('workers.runs')}
      rows={runs}
      keyOf={({ id }) => id}
      empty={<Empty title={t('workers.idle')} />}
      columns={[
        {
          key: 'run',
          title: t('workers.task'),
          isHead: true,
          render: ({ id, task }) => (
            <>
              <Link to={runPlace(id)}>{task}</Link>
              <div className="rb-hint rb-mono">{id}</div>
            </>
          ),
        },
        { key: 'state', title: t('workers.state'), render: ({ state }) => <State state={state} /> },
        {
          key: 'attempt',
          title: t('workers.attempt'),
          align: 'right',
          render: ({ attempt, attempts_max: max }) => `${attempt} / ${max}`,
        },
        {
          key: 'progress',
          title: t('workers.progress'),
          align: 'right',
          render: ({ progress }) => (progress?.percent == null ? '–' : `${Math.round(progress.percent)} %`),
        },
        {
          key: 'since',
          title: t('workers.since'),
          align: 'right',
          render: (run) => <Duration seconds={spent(run)} />,
        },
      ]}
    />
  )
}

function Facts({ worker }: { worker: WorkerDocument }): ReactNode {
  const { queues, autoscale, tasks, processed, listening } = worker
  const count = (key: string): string => countText(processed[key] ?? 0, localeTag())
  return (
    <div className="rb-columns">
      <Card title={t('workers.queues')}>
        <Table
          label={t('workers.queues')}
          rows={Object.entries(queues)}
          keyOf={([name]) => name}
          columns={[
            {
              key: 'name',
              title: t('queues.name'),
              isHead: true,
              render: ([name]) => <Link to={queuePlace(name)}>{name}</Link>,
            },
            {
              key: 'slots',
              title: t('workers.atOnce'),
              align: 'right',
              render: ([name, slots]) => (
                <>
                  {slots}
                  {autoscale[name] ? (
                    <div className="rb-hint">{t('workers.autoscaled', { ...autoscale[name] })}</div>
                  ) : null}
                </>
              ),
            },
          ]}
        />
      </Card>
      <Card title={t('workers.processed')}>
        <dl className="rb-facts">
          <dt>{t('workers.succeeded')}</dt>
          <dd>{count('succeeded')}</dd>
          <dt>{t('workers.failed')}</dt>
          <dd>{count('failed')}</dd>
          <dt>{t('workers.retried')}</dt>
          <dd>{count('retried')}</dd>
          <dt>{t('workers.revoked')}</dt>
          <dd>{count('revoked')}</dd>
          <dt>{t('workers.started')}</dt>
          <dd>
            <Time at={worker.started_at} />
          </dd>
          <dt>{t('workers.version')}</dt>
          <dd>{worker.version}</dd>
          <dt>{t('workers.notified')}</dt>
          <dd>{listening === null ? '–' : t(listening ? 'kit.yes' : 'kit.no')}</dd>
        </dl>
      </Card>
      <Card title={`${t('workers.tasks')} (${tasks.length})`}>
        <ul className="rb-tags">
          {tasks.map((task) => (
            <li key={task} className="rb-break">
              <Link to={runsPlace({ q: `task:${quoted(task)}` })}>{task}</Link>
            </li>
          ))}
        </ul>
      </Card>
    </div>
  )
}
