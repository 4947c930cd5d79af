/** Differences side by side: what goes struck through, what comes marked, and both said in words to who hears the page. */
import type { ReactNode } from 'react'
import { t } from '../kit/kit.ts'
import { differences, valueText } from './diff.ts'

export function Differences({ before, after }: { before: unknown; after: unknown }): ReactNode {
  const found = differences(before, after)
  if (found.length === 0) return <p className="rb-hint">{t('schedules.noChanges')}</p>
  return (
    <dl className="rb-facts rb-pairs rb-diff">
      {found.map((one) => (
        <div key={one.path} className="rb-pair">
          <dt>
            <code>{one.path}</code>
          </dt>
          <dd>
            <span className="rb-unseen">{t('schedules.was')} </span>
            <del>{valueText(one.before)}</del> <span aria-hidden="true">→</span>{' '}
            <span className="rb-unseen">{t('schedules.becomes')} </span>
            <ins>{valueText(one.after)}</ins>
          </dd>
        </div>
      ))}
    </dl>
  )
}
