/** A page that is not there yet. */
import type { ReactNode } from 'react'
import { Empty, Page, t, type TextKey } from '../kit/kit.ts'

export function placeholder(title: TextKey): () => ReactNode {
  return function Placeholder() {
    return (
      <Page title={t(title)}>
        <Empty>{t('frame.soon')}</Empty>
      </Page>
    )
  }
}
