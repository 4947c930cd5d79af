/** The call that enqueues the same run again, for a shell, for SQL, for code. */
import { useState, type ReactNode } from 'react'
import { Card, Code, ROOT, t, Tabs, type RunDocument } from '../kit/kit.ts'
import { asCommand, asCurl, asSql, asTypeScript } from './calls.ts'

const KINDS = [
  { id: 'curl', label: 'curl', make: (run: RunDocument) => asCurl(run, serviceUrl()) },
  { id: 'sql', label: 'SQL', make: asSql },
  { id: 'typescript', label: 'TypeScript', make: asTypeScript },
  { id: 'cli', label: 'CLI', make: asCommand },
]

export function CopyAs({ run }: { run: RunDocument }): ReactNode {
  const [kind, setKind] = useState('curl')
  const { make, label } = KINDS.find(({ id }) => id === kind)!
  return (
    <Card title={t('runs.copyAs')}>
      <p className="rb-hint">{t('runs.copySame')}</p>
      <Tabs label={t('runs.copyAs')} items={KINDS} active={kind} onChange={setKind}>
        <Code text={make(run)} label={label} />
      </Tabs>
    </Card>
  )
}

/** The service the panel belongs to: what stands before the panel's own prefix. */
function serviceUrl(): string {
  return location.origin + ROOT.replace(/\/[^/]*$/, '')
}
