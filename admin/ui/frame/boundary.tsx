/** A page that throws while it is drawn takes nothing else with it: the frame stays, and says so. */
import { Component, type ReactNode } from 'react'
import { Button, Page, t } from '../kit/kit.ts'

export class Boundary extends Component<{ children: ReactNode }, { isBroken: boolean }> {
  override state = { isBroken: false }

  static getDerivedStateFromError(): { isBroken: boolean } {
    return { isBroken: true }
  }

  override render(): ReactNode {
    if (!this.state.isBroken) return this.props.children
    return (
      <Page title={t('frame.broken')} lead={t('frame.brokenText')}>
        <Button onClick={() => this.setState({ isBroken: false })}>{t('frame.reload')}</Button>
      </Page>
    )
  }
}
