/** The keys, told. */
import type { ReactNode } from 'react'
import { Button, Dialog, t, useMe } from '../kit/kit.ts'
import { PAGES } from './pages.ts'

export function Help({ onClose }: { onClose: () => void }): ReactNode {
  const { may } = useMe()
  const rows: [keys: string[], words: string][] = [
    [['/'], t('frame.keySearch')],
    [['Ctrl', 'K'], t('frame.keySearch')],
    [['?'], t('frame.keyHelp')],
    [['Esc'], t('frame.keyClose')],
    ...PAGES.filter(({ key, scope }) => key && may(scope)).map(({ key, text }): [string[], string] => [
      ['g', key!],
      t('frame.keyGo', { page: t(text) }),
    ]),
  ]
  return (
    <Dialog title={t('frame.keyboard')} onClose={onClose}>
      <dl className="rb-keys">
        {rows.map(([keys, words]) => (
          <div key={keys.join(' ')}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      <div className="rb-dialog-actions">
        <Button onClick={onClose}>{t('kit.close')}</Button>
      </div>
    </Dialog>
  )
}
