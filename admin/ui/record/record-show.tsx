/**
 * A record as AdminJS has it: name and value, whatever resource it is of. What has a page of its own does not come here; this is for
 * the audit log, keys and firings, and for whatever resource comes later.
 */
import type { ReactNode } from 'react'
import {
  Card,
  Code,
  Empty,
  Link,
  Loading,
  Page,
  request,
  t,
  Time,
  Trouble,
  tOr,
  useLoad,
} from '../kit/kit.ts'

interface Told {
  record: { title?: string; params: Record<string, unknown>; baseError?: { message?: string } | null }
}

const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/

export function RecordShow({ resourceId, recordId }: { resourceId: string; recordId: string }): ReactNode {
  const { value, error, reload } = useLoad(
    () =>
      request<Told>(
        'GET',
        `/api/resources/${encodeURIComponent(resourceId)}/records/${encodeURIComponent(recordId)}/show`,
      ),
    [resourceId, recordId],
  )
  const noun = tOr(`frame.${resourceId}`, resourceId)
  const params = value?.record?.params ?? {}
  const names = Object.keys(params)
  return (
    <Page
      title={value?.record?.title ?? noun}
      actions={
        <Link to={`/resources/${encodeURIComponent(resourceId)}`} className="rb-button">
          {t('frame.toList')}
        </Link>
      }
    >
      {error ? <Trouble error={error} retry={reload} /> : null}
      {value === undefined && !error ? <Loading /> : null}
      {value !== undefined && names.length === 0 ? <Empty>{t('frame.notFoundText')}</Empty> : null}
      {names.length > 0 ? (
        <Card>
          <dl className="rb-facts">
            {names.map((name) => (
              <div key={name} className="rb-fact">
                <dt>{name}</dt>
                <dd>
                  <Value name={name} value={params[name]} />
                </dd>
              </div>
            ))}
          </dl>
        </Card>
      ) : null}
    </Page>
  )
}

function Value({ name, value }: { name: string; value: unknown }): ReactNode {
  if (value === null || value === undefined || value === '') return <span className="rb-none">–</span>
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (INSTANT.test(text)) return <Time at={text} plain />
  if (text.includes('\n')) return <Code text={text} label={name} />
  return <>{text}</>
}
