/** Workers that live, as they are this second. */
import type { ReactNode } from 'react'
import {
  bytesText,
  client,
  Copy,
  countText,
  Empty,
  Link,
  localeTag,
  Page,
  t,
  Table,
  Trouble,
  useLoad,
  type WorkerDocument,
} from '../kit/kit.ts'
import { useFigures, useRefresh, type LiveWorker } from './live.ts'
import { workerPlace } from './places.ts'
import { Load } from './queue-table.tsx'
import { Lag, Skew, WorkerState } from './worker-figures.tsx'

const LOOK_S = 60
const START = 'rowbeat worker'

interface Row extends LiveWorker {
  key: string
  queues: readonly string[]
  version: string | null
}

export function WorkerList(): ReactNode {
  const { value, error, reload } = useLoad(() => client.listWorkers(), [])
  const figures = useFigures()
  useRefresh(reload, LOOK_S, ({ workers }) => workers.map(({ name, slots }) => `${name} ${slots}`).join())
  const rows = rowsOf(figures?.workers ?? null, value?.items ?? null)
  return (
    <Page title={t('workers.title')} lead={t('workers.lead')}>
      {error ? <Trouble error={error} retry={reload} /> : null}
      <Table
        label={t('workers.title')}
        rows={rows ?? []}
        keyOf={({ key }) => key}
        busy={rows === null && !error}
        empty={
          <Empty title={t('workers.none')}>
            {t('workers.noneText')} <code>{START}</code> <Copy text={START} label={START} />
          </Empty>
        }
        columns={[
          {
            key: 'name',
            title: t('workers.name'),
            isHead: true,
            render: ({ name, version }) => (
              <>
                <Link to={workerPlace(name)}>{name}</Link>
                {version ? <div className="rb-hint">{version}</div> : null}
              </>
            ),
          },
          { key: 'state', title: t('workers.state'), render: (row) => <WorkerState {...row} /> },
          {
            key: 'queues',
            title: t('workers.queues'),
            className: 'rb-break',
            render: ({ queues }) => queues.join(', '),
          },
          {
            key: 'running',
            title: t('workers.running'),
            render: ({ running, slots }) => <Load running={running} slots={slots} />,
          },
          {
            key: 'rate',
            title: t('workers.rate'),
            align: 'right',
            render: ({ rate }) => (rate === null ? '–' : countText(Math.round(rate * 10) / 10, localeTag())),
          },
          {
            key: 'memory',
            title: t('workers.memory'),
            align: 'right',
            render: ({ rss_bytes: bytes }) => (bytes === null ? '–' : bytesText(bytes)),
          },
          {
            key: 'lag',
            title: t('workers.lag'),
            align: 'right',
            render: ({ loop_lag_ms: ms }) => <Lag ms={ms} />,
          },
          {
            key: 'skew',
            title: t('workers.skew'),
            align: 'right',
            render: ({ clock_skew_ms: ms }) => <Skew ms={ms} />,
          },
        ]}
      />
    </Page>
  )
}

/** Several may live under one name: the stream tells them in the order of the list. */
function rowsOf(live: readonly LiveWorker[] | null, asked: readonly WorkerDocument[] | null): Row[] | null {
  if (live)
    return live.map((worker, at) => {
      const known = asked?.find(({ name }) => name === worker.name)
      return {
        ...worker,
        key: `${worker.name} ${at}`,
        queues: Object.keys(known?.queues ?? {}),
        version: known?.version ?? null,
      }
    })
  return (
    asked?.map((worker, at) => ({
      ...worker,
      key: `${worker.name} ${at}`,
      queues: Object.keys(worker.queues),
      running: worker.running.length,
      slots: Object.values(worker.queues).reduce((sum, n) => sum + n, 0),
      rate: null,
      unseen: 0,
    })) ?? null
  )
}
