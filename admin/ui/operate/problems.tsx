/**
 * Everything that keeps runs from running, worst first: what is seen, how it is mended, and the button that does it. It is looked
 * at again when the figures say that something has changed, and now and then.
 */
import { useRef, useState, type ReactNode } from 'react'
import type { TroubleDocument } from '../../../src/control/problems.ts'
import {
  Button,
  Card,
  client,
  Copy,
  Empty,
  Link,
  Loading,
  notify,
  Page,
  State,
  t,
  tOr,
  Trouble,
  useLive,
  useLoad,
  useMe,
} from '../kit/kit.ts'
import { commandOf, fixesOf, type Fix } from './fixes.ts'
import { useRefresh, type LiveFigures } from './live.ts'
import { placeOfLink } from './places.ts'

const LOOK_S = 10
/** A reading is given again for some seconds: what was mended here is not shown until there is another. */
const MENDED_MS = 20_000

export function ProblemsPage(): ReactNode {
  const { value, error, loading, reload } = useLoad(() => client.listProblems(), [])
  const shown = useRef('')
  const [mended, setMended] = useState<ReadonlyMap<string, number>>(new Map())
  useRefresh(reload, LOOK_S)
  useLive(({ event, data }) => {
    if (event !== 'figures') return
    const { errors, warnings, first } = (data as LiveFigures).problems
    const told = `${errors} ${warnings} ${first?.detail}`
    if (shown.current !== '' && shown.current !== told) reload()
    shown.current = told
  })
  const isMended = (trouble: TroubleDocument): boolean =>
    performance.now() - (mended.get(keyOf(trouble)) ?? -Infinity) < MENDED_MS
  const items = value?.items.filter((trouble) => !isMended(trouble))
  return (
    <Page
      title={t('problems.title')}
      lead={t('problems.lead')}
      actions={
        <Button busy={loading && value !== undefined} onClick={reload}>
          {t('problems.look')}
        </Button>
      }
    >
      {error ? <Trouble error={error} retry={reload} /> : null}
      {!value && !error ? <Loading /> : null}
      {items?.length === 0 ? <Empty title={t('problems.none')}>{t('problems.noneText')}</Empty> : null}
      <ul className="rb-list-plain rb-stack">
        {items?.map((trouble) => (
          <li key={keyOf(trouble)}>
            <TroubleCard
              trouble={trouble}
              onDone={() => {
                setMended(new Map([...mended, [keyOf(trouble), performance.now()]]))
                reload()
              }}
            />
          </li>
        ))}
      </ul>
    </Page>
  )
}

const keyOf = ({ code, subject, links }: TroubleDocument): string => `${code} ${subject} ${links[1] ?? ''}`

function TroubleCard({ trouble, onDone }: { trouble: TroubleDocument; onDone: () => void }): ReactNode {
  const { may } = useMe()
  const { code, level, detail, mend, runs, links } = trouble
  const command = commandOf(trouble)
  const places = [...new Set(links.flatMap((link) => placeOfLink(link) ?? []))]
  return (
    <Card
      className={`rb-problem rb-problem-${level}`}
      title={
        <>
          <State state={level} /> {tOr(`problems.${code}`, code)}
        </>
      }
    >
      <p>
        <strong>{detail}</strong>
      </p>
      <p>{mend}</p>
      {runs === null ? null : <p className="rb-soft">{t('problems.runs', { count: runs })}</p>}
      <div className="rb-row">
        {fixesOf(trouble)
          .filter(({ scope }) => may(scope))
          .map((fix, at) => (
            <FixButton key={fix.label} fix={fix} isFirst={at === 0} onDone={onDone} />
          ))}
        {places.map((place) => (
          <Link key={place} to={place} className="rb-button" aria-label={`${t('problems.seen')}: ${place}`}>
            {wordOf(place)}
          </Link>
        ))}
        {command ? (
          <span className="rb-row">
            <code className="rb-break">{command.text}</code>
            <Copy text={command.text} label={command.label} />
          </span>
        ) : null}
      </div>
    </Card>
  )
}

/** What a link leads to, by the noun of its place. */
function wordOf(place: string): string {
  const [, noun = ''] = /^\/resources\/([a-z]+)/.exec(place) ?? []
  return tOr(`frame.${noun}`, t('problems.seen'))
}

function FixButton({ fix, isFirst, onDone }: { fix: Fix; isFirst: boolean; onDone: () => void }): ReactNode {
  const [busy, setBusy] = useState(false)
  const press = (): void => {
    setBusy(true)
    fix
      .run()
      .then(
        (isDone) => {
          if (!isDone || fix.leads) return
          notify('success', t('problems.fixed'))
          onDone()
        },
        (error: unknown) => notify('error', error),
      )
      .finally(() => setBusy(false))
  }
  return (
    <Button kind={isFirst ? 'primary' : 'plain'} busy={busy} onClick={press}>
      {fix.label}
    </Button>
  )
}
