/** All queues, as they are this second. Limits and pauses are asked when the page is drawn and after each change made here. */
import { useState, type ReactNode } from 'react'
import {
  Button,
  client,
  countText,
  Empty,
  go,
  localeTag,
  Page,
  t,
  Trouble,
  useLoad,
  useMe,
  type QueueDocument,
} from '../kit/kit.ts'
import { LimitsDialog, PauseDialog } from './queue-dialogs.tsx'
import { resume } from './queue-verbs.ts'
import { useFigures, useRefresh, type LiveQueue } from './live.ts'
import { queuePlace } from './places.ts'
import { QueueTable } from './queue-table.tsx'

/** Counts and states come by the stream; limits, which nobody tells, are asked for now and then. */
const LOOK_S = 120

export function QueueList(): ReactNode {
  const { value, error, reload } = useLoad(() => client.listQueues(), [])
  const figures = useFigures()
  const { may } = useMe()
  const [isMaking, setMaking] = useState(false)
  const [pausing, setPausing] = useState<string | null>(null)
  useRefresh(reload, LOOK_S, ({ queues }) => queues.map(({ name, state }) => `${name} ${state}`).join())
  const mayWrite = may('queues:write')
  const rows = value && value.items.map((queue) => withFigures(queue, figures?.queues))
  return (
    <Page
      title={t('queues.title')}
      lead={t('queues.lead')}
      actions={
        mayWrite ? (
          <Button kind="primary" onClick={() => setMaking(true)}>
            {t('queues.new')}
          </Button>
        ) : null
      }
    >
      {error ? <Trouble error={error} retry={reload} /> : null}
      <QueueTable
        rows={rows ?? null}
        empty={<Empty title={t('queues.none')}>{t('queues.noneText')}</Empty>}
        more={[
          {
            key: 'workers',
            title: t('queues.workers'),
            align: 'right',
            render: ({ workers }) => workers.length,
          },
          { key: 'limits', title: t('queues.limits'), render: (queue) => <Limits queue={queue} /> },
          ...(mayWrite
            ? [
                {
                  key: 'actions',
                  title: '',
                  render: (queue: QueueDocument) => (
                    <PauseOrResume queue={queue} onPause={() => setPausing(queue.name)} onDone={reload} />
                  ),
                },
              ]
            : []),
        ]}
      />
      {isMaking ? (
        <LimitsDialog queue={null} onClose={() => setMaking(false)} onDone={(name) => go(queuePlace(name))} />
      ) : null}
      {pausing === null ? null : (
        <PauseDialog name={pausing} onClose={() => setPausing(null)} onDone={reload} />
      )}
    </Page>
  )
}

/** Counts as the stream tells them; the rest as it was asked. */
export function withFigures(queue: QueueDocument, live: readonly LiveQueue[] | undefined): QueueDocument {
  const now = live?.find(({ name }) => name === queue.name)
  return now ? { ...queue, ...now } : queue
}

function PauseOrResume({
  queue: { name, state },
  onPause,
  onDone,
}: {
  queue: QueueDocument
  onPause: () => void
  onDone: () => void
}): ReactNode {
  return state === 'open' ? (
    <Button aria-label={`${t('queues.pause')}: ${name}`} onClick={onPause}>
      {t('queues.pause')}
    </Button>
  ) : (
    <Button
      aria-label={`${t('queues.resume')}: ${name}`}
      onClick={() => void resume(name).then((isDone) => isDone && onDone())}
    >
      {t('queues.resume')}
    </Button>
  )
}

export function Limits({ queue: { concurrency, rate } }: { queue: QueueDocument }): ReactNode {
  const words = [
    concurrency === null ? '' : t('queues.atOnce', { count: countText(concurrency, localeTag()) }),
    rate ?? '',
  ].filter(Boolean)
  return words.length === 0 ? <span className="rb-soft">{t('queues.noLimit')}</span> : words.join(' · ')
}
