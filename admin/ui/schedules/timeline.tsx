/**
 * The hours ahead of all schedules, a line each, and where many fall on the same second: that is the load one wonders about at
 * midnight. Beside each crowd stands the jitter that would part it, and the button that sets it.
 */
import { useState, type ReactNode } from 'react'
import {
  absoluteText,
  Button,
  Card,
  client,
  durationText,
  Empty,
  Input,
  Link,
  Loading,
  localeTag,
  Page,
  Select,
  t,
  Table,
  Trouble,
  useLoad,
  useMe,
  useQuery,
} from '../kit/kit.ts'
import { toAll } from './actions.tsx'
import { InstantField } from './instant-field.tsx'
import { placeOf } from './form.tsx'
import { bandsOf, marksPath, PEAK, TICKS, ticksOf, windowOf, type Window } from './track.ts'
import { viewerZone } from './timing.tsx'

export type Timeline = Awaited<ReturnType<typeof client.getTimeline>>
type Row = Timeline['items'][number]
type Collision = Timeline['collisions'][number]

const HOURS = ['1', '6', '12', '24', '48', '168'] as const
const ROWS = 100
const NAMES = 8

export function TimelinePage(): ReactNode {
  const [{ from = '', hours = '24', search = '' }, setQuery] = useQuery()
  const { value, error, reload } = useLoad(
    () => client.getTimeline({ from: from || undefined, hours }),
    [from, hours],
  )
  return (
    <Page title={t('timeline.title')} lead={t('timeline.lead', { zone: viewerZone() })}>
      <div className="rb-filters">
        <InstantField label={t('timeline.from')} value={from} onChange={(at) => setQuery({ from: at })} />
        <label className="rb-field">
          <span className="rb-label">{t('timeline.span')}</span>
          <Select
            value={hours}
            options={HOURS.map((count) => ({
              value: count,
              label: t('timeline.hours', { count: Number(count) }),
            }))}
            onChange={(next) => setQuery({ hours: next })}
          />
        </label>
        <label className="rb-field">
          <span className="rb-label">{t('schedules.search')}</span>
          <Input
            type="search"
            value={search}
            onChange={(next) => setQuery({ search: next }, { replace: true })}
          />
        </label>
      </div>
      {error ? <Trouble error={error} retry={reload} /> : null}
      {value ? <Laid timeline={value} search={search} reload={reload} /> : error ? null : <Loading />}
    </Page>
  )
}

function Laid({
  timeline,
  search,
  reload,
}: {
  timeline: Timeline
  search: string
  reload: () => void
}): ReactNode {
  if (timeline.items.length === 0) return <Empty title={t('timeline.none')}>{t('timeline.noneText')}</Empty>
  const wanted = search.toLowerCase()
  const rows = timeline.items.filter((row) => `${row.name} ${row.task}`.toLowerCase().includes(wanted))
  return (
    <>
      <Card title={t('timeline.collisions')}>
        {timeline.collisions.length === 0 ? (
          <p className="rb-hint">{t('timeline.noCollisions')}</p>
        ) : (
          <Collisions collisions={timeline.collisions} reload={reload} />
        )}
      </Card>
      <Card title={t('timeline.ahead')}>
        <Tracks key={`${timeline.from} ${search}`} rows={rows} timeline={timeline} />
        {timeline.more ? <p className="rb-hint">{t('timeline.more')}</p> : null}
      </Card>
    </>
  )
}

function Tracks({ rows, timeline }: { rows: readonly Row[]; timeline: Timeline }): ReactNode {
  const [shown, setShown] = useState(ROWS)
  const from = Date.parse(timeline.from)
  const window = windowOf(from, (Date.parse(timeline.until) - from) / 3_600_000)
  return (
    <div className="rb-timeline">
      <table className="rb-tracks" aria-label={t('timeline.ahead')}>
        <thead>
          <tr>
            <th scope="col">{t('schedules.one')}</th>
            <th scope="col">
              <span className="rb-unseen">{t('timeline.instants')}</span>
              <Axis window={window} />
            </th>
            <th scope="col" className="rb-right">
              {t('timeline.count')}
            </th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">{t('timeline.all')}</th>
            <td>
              <Load rows={rows} window={window} />
            </td>
            <td className="rb-right">{rows.reduce((sum, { count }) => sum + count, 0)}</td>
          </tr>
          {rows.slice(0, shown).map((row) => (
            <tr key={row.id}>
              <th scope="row">
                <Link to={placeOf(row.id)}>{row.name}</Link>
                <div className="rb-hint">{row.text}</div>
              </th>
              <td>
                <Track row={row} window={window} />
              </td>
              <td className="rb-right">{row.count}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > shown ? <Button onClick={() => setShown(shown + ROWS)}>{t('kit.more')}</Button> : null}
    </div>
  )
}

/** Hours in the viewer's zone, the day where it begins. */
function Axis({ window }: { window: Window }): ReactNode {
  const hour = new Intl.DateTimeFormat(localeTag(), { hour: '2-digit', minute: '2-digit' })
  const day = new Intl.DateTimeFormat(localeTag(), { weekday: 'short', day: 'numeric' })
  return (
    <div className="rb-ticks" aria-hidden="true">
      {ticksOf(window).map((ms, i, all) => (
        <span key={ms}>
          <span>{hour.format(ms)}</span>
          <span>{i === 0 || day.format(all[i - 1]) !== day.format(ms) ? day.format(ms) : ''}</span>
        </span>
      ))}
    </div>
  )
}

function Track({ row, window }: { row: Row; window: Window }): ReactNode {
  const label = t('timeline.rowText', {
    count: row.count,
    first: absoluteText(row.instants[0]!, localeTag()),
  })
  return (
    <svg className="rb-track" role="img" aria-label={label} viewBox="0 0 1000 24" preserveAspectRatio="none">
      <Grid />
      {row.count > row.instants.length ? (
        <rect className="rb-track-dense" x={0} y={7} width={1000} height={10} />
      ) : (
        <path
          className={row.jitter ? 'rb-track-loose' : 'rb-track-mark'}
          d={marksPath(row.instants, window)}
        />
      )}
    </svg>
  )
}

/** How many fall due when, all together. */
function Load({ rows, window }: { rows: readonly Row[]; window: Window }): ReactNode {
  const bands = bandsOf(rows, window)
  const most = Math.max(1, ...bands)
  const width = 1000 / bands.length
  return (
    <svg
      className="rb-track rb-track-load"
      role="img"
      aria-label={t('timeline.busiest', { count: most })}
      viewBox="0 0 1000 40"
      preserveAspectRatio="none"
    >
      <Grid height={40} />
      {bands.map((count, i) => (
        <rect
          // oxlint-disable-next-line react/no-array-index-key -- a band is its place
          key={i}
          className={count === most && most >= PEAK ? 'rb-band rb-band-most' : 'rb-band'}
          x={i * width}
          y={40 - (count / most) * 40}
          width={width * 0.9}
          height={(count / most) * 40}
        />
      ))}
    </svg>
  )
}

function Grid({ height = 24 }: { height?: number }): ReactNode {
  const lines = Array.from({ length: TICKS }, (_, i) => `M${(i * 1000) / TICKS} 0V${height}`)
  return <path className="rb-track-grid" d={lines.join('')} />
}

function Collisions({
  collisions,
  reload,
}: {
  collisions: readonly Collision[]
  reload: () => void
}): ReactNode {
  const { may } = useMe()
  const part = async ({ schedules, jitter }: Collision): Promise<void> => {
    const isDone = await toAll(
      schedules,
      {
        title: t('timeline.partTitle', { count: schedules.length }),
        text: t('timeline.partText', { jitter: durationText(jitter) }),
        action: t('timeline.part'),
      },
      ({ id }) => client.editSchedule(id, { jitter }, { ifMatch: '*' }),
    )
    if (isDone) reload()
  }
  return (
    <Table
      label={t('timeline.collisions')}
      rows={collisions}
      keyOf={({ at, schedules }) => `${at} ${schedules.map(({ id }) => id).join()}`}
      columns={[
        {
          key: 'at',
          title: t('timeline.at'),
          isHead: true,
          render: ({ at }) => absoluteText(at, localeTag()),
        },
        { key: 'times', title: t('timeline.times'), align: 'right', render: ({ times }) => times },
        {
          key: 'count',
          title: t('timeline.together'),
          align: 'right',
          render: ({ count }) => count,
        },
        {
          key: 'who',
          title: t('schedules.title'),
          render: (collision) => <Names {...collision} />,
        },
        {
          key: 'mend',
          title: t('timeline.mend'),
          render: (collision) => (
            <>
              <p>{t('timeline.suggest', { jitter: durationText(collision.jitter) })}</p>
              {may('schedules:write') ? (
                <Button kind="quiet" onClick={() => void part(collision)}>
                  {t('timeline.part')}
                </Button>
              ) : null}
            </>
          ),
        },
      ]}
    />
  )
}

function Names({ schedules, count }: Collision): ReactNode {
  return (
    <ul className="rb-names">
      {schedules.slice(0, NAMES).map(({ id, name }) => (
        <li key={id}>
          <Link to={placeOf(id)}>{name}</Link>
        </li>
      ))}
      {count > NAMES ? <li>{t('timeline.others', { count: count - NAMES })}</li> : null}
    </ul>
  )
}
