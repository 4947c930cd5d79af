/** Queues with what waits and runs on each. */
import type { ReactNode } from 'react'
import {
  Bar,
  countText,
  Duration,
  Link,
  Loading,
  localeTag,
  State,
  t,
  Table,
  type Column,
} from '../kit/kit.ts'
import { waitingIn, type LiveQueue } from './live.ts'
import { queuePlace } from './places.ts'

/** `slots`: null where they are not known. */
export type QueueRow = Omit<LiveQueue, 'waiting' | 'slots'> & {
  waiting: Readonly<Record<string, number>>
  slots: number | null
}

export function QueueTable<Row extends QueueRow>({
  rows,
  more = [],
  empty,
}: {
  rows: readonly Row[] | null
  more?: readonly Column<Row>[]
  empty?: ReactNode
}): ReactNode {
  if (!rows) return <Loading />
  return (
    <Table<Row>
      label={t('queues.title')}
      rows={rows}
      keyOf={({ name }) => name}
      empty={empty}
      columns={[
        {
          key: 'name',
          title: t('queues.name'),
          isHead: true,
          render: ({ name }) => <Link to={queuePlace(name)}>{name}</Link>,
        },
        { key: 'state', title: t('queues.state'), render: ({ state }) => <QueueState state={state} /> },
        {
          key: 'waiting',
          title: t('queues.waiting'),
          align: 'right',
          render: ({ waiting, capped }) => (
            <span className="rb-figure">{countText(waitingIn(waiting), localeTag(), capped)}</span>
          ),
        },
        {
          key: 'oldest',
          title: t('queues.oldest'),
          align: 'right',
          render: ({ oldest_age: age }) => <Duration seconds={age === null ? null : Math.round(age)} />,
        },
        {
          key: 'running',
          title: t('queues.running'),
          render: (row) => <Load running={row.running} slots={row.slots} />,
        },
        ...more,
      ]}
    />
  )
}

/** The chip; one that is open needs no colour. */
export function QueueState({ state, title }: { state: LiveQueue['state']; title?: string }): ReactNode {
  return state === 'open' ? (
    <span className="rb-soft">{t('queues.open')}</span>
  ) : (
    <State state={state} title={title} />
  )
}

/** How many of the slots are in use. */
export function Load({ running, slots }: { running: number; slots: number | null }): ReactNode {
  if (slots === null) return <span className="rb-figure">{running}</span>
  const words = t('queues.ofSlots', { running, slots })
  return (
    <span className="rb-load">
      <span className="rb-figure">{words}</span>
      <Bar
        value={running}
        max={slots}
        label={words}
        tone={slots > 0 && running >= slots ? 'warn' : 'accent'}
      />
    </span>
  )
}
