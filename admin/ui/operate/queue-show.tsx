/** One queue: what waits on it and why, who serves it, how it did in the last hour, and everything that can be done to it. */
import type { ReactNode } from 'react'
import {
  Button,
  Card,
  client,
  countText,
  Duration,
  Empty,
  go,
  Link,
  Loading,
  localeTag,
  Page,
  t,
  Table,
  Time,
  Trouble,
  useLoad,
  useMe,
  useQuery,
  type OperationDocument,
  type QueueDocument,
} from '../kit/kit.ts'
import type { StatsGroup } from '../../../src/control/stats.ts'
import type { Place } from '../../../src/db/statements/queue-figures.ts'
import { OperationBar } from '../runs/operation.tsx'
import { shareText, useFigures, useRefresh, waitingIn } from './live.ts'
import { runsPlace, workerPlace } from './places.ts'
import { LimitsDialog, MoveDialog, PauseDialog } from './queue-dialogs.tsx'
import { withFigures } from './queue-list.tsx'
import { Load, QueueState } from './queue-table.tsx'
import { drain, purge, remove, resume } from './queue-verbs.ts'

/** The figures of the hour; and limits and workers, which the stream does not tell. */
const LOOK_S = 15
const LONG_LOOK_S = 60

export function QueueShow({ recordId: name }: { recordId: string }): ReactNode {
  const [query, setQuery] = useQuery()
  const asked = useLoad(() => client.getQueue(name), [name])
  const stats = useLoad(() => client.getStats({ period: '1h', by: 'queue' }), [name])
  const figures = useFigures()
  useRefresh(stats.reload, LOOK_S)
  useRefresh(
    asked.reload,
    LONG_LOOK_S,
    ({ queues }) => queues.find((queue) => queue.name === name)?.state ?? '',
  )
  const { value, error, reload } = asked
  const shown = value && withFigures(value, figures?.queues)
  const ask = (what: string | null): void => setQuery({ do: what }, { replace: true })
  const follow = ({ id }: OperationDocument): void => setQuery({ op: id, do: null })
  return (
    <Page
      title={name}
      lead={shown ? <Standing queue={shown} /> : null}
      actions={shown ? <Actions queue={shown} ask={ask} follow={follow} reload={reload} /> : null}
    >
      {error ? <Trouble error={error} retry={reload} /> : null}
      {query.op ? <OperationBar id={query.op} onEnd={reload} onClose={() => setQuery({ op: null })} /> : null}
      {shown ? <Body queue={shown} group={stats.value?.groups.find((group) => group.name === name)} /> : null}
      {!shown && !error ? <Loading /> : null}
      {query.do === 'pause' ? <PauseDialog name={name} onClose={() => ask(null)} onDone={reload} /> : null}
      {query.do === 'move' ? <MoveDialog name={name} onClose={() => ask(null)} onBegun={follow} /> : null}
      {query.do === 'limits' && shown ? (
        <LimitsDialog queue={shown} onClose={() => ask(null)} onDone={reload} />
      ) : null}
    </Page>
  )
}

function Standing({ queue }: { queue: QueueDocument }): ReactNode {
  const { state, pause_reason: reason, paused_at: at, resume_at: until, draining_at: draining } = queue
  return (
    <span className="rb-row">
      <QueueState state={state} />
      {state === 'paused' ? (
        <span>
          <Time at={at} />
          {reason ? `: ${reason}` : ''}
        </span>
      ) : null}
      {state === 'draining' ? <Time at={draining} /> : null}
      {until ? (
        <span>
          {t('queues.until_at')} <Time at={until} />
        </span>
      ) : null}
    </span>
  )
}

function Actions({
  queue,
  ask,
  follow,
  reload,
}: {
  queue: QueueDocument
  ask: (what: string | null) => void
  follow: (operation: OperationDocument) => void
  reload: () => void
}): ReactNode {
  const { may } = useMe()
  const { name, state, waiting, capped } = queue
  const total = waitingIn(waiting)
  const after = (work: Promise<boolean>, then = reload): void => void work.then((isDone) => isDone && then())
  if (!may('queues:write')) return null
  return (
    <>
      {state === 'open' ? (
        <Button kind="primary" onClick={() => ask('pause')}>
          {t('queues.pause')}
        </Button>
      ) : (
        <Button kind="primary" onClick={() => after(resume(name))}>
          {t('queues.resume')}
        </Button>
      )}
      <Button onClick={() => ask('limits')}>{t('queues.limits')}</Button>
      {state === 'open' ? <Button onClick={() => after(drain(name))}>{t('queues.drain')}</Button> : null}
      <Button disabled={total === 0} onClick={() => ask('move')}>
        {t('queues.move')}
      </Button>
      <Button
        kind="danger"
        disabled={total === 0}
        onClick={() => void purge(name, total, capped).then((operation) => operation && follow(operation))}
      >
        {t('queues.purge')}
      </Button>
      <Button kind="danger" onClick={() => after(remove(name), () => go('/resources/queues'))}>
        {t('queues.remove')}
      </Button>
    </>
  )
}

function Body({ queue, group }: { queue: QueueDocument; group: StatsGroup | undefined }): ReactNode {
  return (
    <>
      <div className="rb-columns">
        <WaitingCard queue={queue} />
        <Card title={t('queues.served')}>
          <p className="rb-above-table">
            <Load running={queue.running} slots={queue.slots} />
          </p>
          <Table
            label={t('queues.served')}
            rows={queue.workers}
            keyOf={({ name }) => name}
            empty={<Empty title={t('queues.unserved')} />}
            columns={[
              {
                key: 'name',
                title: t('queues.workers'),
                isHead: true,
                render: ({ name }) => <Link to={workerPlace(name)}>{name}</Link>,
              },
              { key: 'slots', title: t('queues.slots'), align: 'right', render: ({ slots }) => slots },
            ]}
          />
        </Card>
        <Lately queue={queue} group={group} />
        <LimitsCard queue={queue} />
      </div>
    </>
  )
}

const REASONS = {
  hot: 'queues.hot',
  overflow: 'queues.overflow',
  paused: 'queues.paused_runs',
  rate: 'queues.rate_runs',
  concurrency: 'queues.concurrency_runs',
  flow: 'queues.flow',
  eta: 'queues.eta',
  retry: 'queues.retry',
  snooze: 'queues.snooze',
} as const

function WaitingCard({
  queue: { name, waiting, capped, oldest_age: age },
}: {
  queue: QueueDocument
}): ReactNode {
  const rows = (Object.keys(REASONS) as Place[]).filter((place) => waiting[place] > 0)
  const state = (place: Place): string =>
    place === 'eta' || place === 'snooze' ? 'SCHEDULED' : place === 'retry' ? 'RETRY' : 'PENDING'
  const search = (place: Place): string =>
    place === 'hot' || place === 'retry' ? `queue:${name}` : `queue:${name} reason:${place}`
  return (
    <Card
      title={t('queues.why')}
      actions={<Link to={runsPlace({ q: `queue:${name}` })}>{t('queues.showRuns')}</Link>}
    >
      {age === null ? null : (
        <p className="rb-above-table">
          {t('queues.oldest')}: <Duration seconds={Math.round(age)} />
        </p>
      )}
      <Table
        label={t('queues.why')}
        rows={rows}
        keyOf={(place) => place}
        columns={[
          {
            key: 'reason',
            title: t('queues.reason'),
            isHead: true,
            render: (place) => (
              <Link to={runsPlace({ state: state(place), q: search(place) })}>{t(REASONS[place])}</Link>
            ),
          },
          {
            key: 'waiting',
            title: t('queues.waiting'),
            align: 'right',
            render: (place) => countText(waiting[place], localeTag(), capped && waiting[place] >= 100_000),
          },
        ]}
      />
    </Card>
  )
}

function Lately({ queue, group }: { queue: QueueDocument; group: StatsGroup | undefined }): ReactNode {
  const ended = group ? group.succeeded + group.failed + group.revoked : 0
  const { hot, overflow } = queue.waiting
  return (
    <Card title={t('queues.lately')}>
      <dl className="rb-facts">
        <dt>{t('queues.ended')}</dt>
        <dd>{countText(ended, localeTag())}</dd>
        <dt>{t('queues.failed')}</dt>
        <dd>{(group?.failure_rate ?? null) === null ? '–' : shareText(group!.failure_rate!)}</dd>
        {(['p50', 'p95', 'p99'] as const).map((share) => (
          <Spans key={share} share={share} group={group} />
        ))}
        <dt>{t('queues.empties')}</dt>
        <dd>
          <Duration seconds={ended === 0 ? null : ((hot + overflow) * 3600) / ended} />
        </dd>
      </dl>
    </Card>
  )
}

function Spans({ share, group }: { share: 'p50' | 'p95' | 'p99'; group: StatsGroup | undefined }): ReactNode {
  return (
    <>
      <dt>
        {t('overview.wait', { share })} · {t('overview.took', { share })}
      </dt>
      <dd>
        <Duration seconds={group?.wait?.[share]} /> · <Duration seconds={group?.duration?.[share]} />
      </dd>
    </>
  )
}

function LimitsCard({ queue }: { queue: QueueDocument }): ReactNode {
  const { concurrency, rate, rate_burst: burst, hot_limit: hot } = queue
  const none = <span className="rb-soft">{t('queues.noLimit')}</span>
  return (
    <Card title={t('queues.limits')}>
      <dl className="rb-facts">
        <dt>{t('queues.concurrency')}</dt>
        <dd>{concurrency ?? none}</dd>
        <dt>{t('queues.rate')}</dt>
        <dd>{rate ?? none}</dd>
        <dt>{t('queues.rateBurst')}</dt>
        <dd>{burst ?? none}</dd>
        <dt>{t('queues.hotLimit')}</dt>
        <dd>{countText(hot, localeTag())}</dd>
      </dl>
    </Card>
  )
}
