/**
 * The page of widgets: what there is, forms for what a worker does with it, and the run that was asked for
 * last. While that run goes on, the page asks again by itself.
 */
import type { Run } from '../../index.ts'
import { maskAddress } from '../web/email.ts'
import { html } from '../web/html.ts'
import type { Page } from '../web/layout.ts'

export interface ShownWidget {
  id: number
  name: string
}

export interface WelcomedUser {
  email: string
  isWelcomed: boolean
}

export function widgetsPage(
  widgets: readonly ShownWidget[],
  run: Run | null,
  user: WelcomedUser | null,
): Page {
  const isWaiting = (run !== null && run.finishedAt === null) || user?.isWelcomed === false
  return {
    title: 'Widgets',
    path: '/widgets',
    head: isWaiting ? html`<meta http-equiv="refresh" content="1" />` : undefined,
    body: html`
      <h1>Widgets</h1>
      <p class="lead">
        The tasks of Celery’s example for Django, on two queues: what you wait for goes to <code>high</code>,
        the rest to <code>default</code>.
      </p>
      ${run && runSheet(run)} ${user && userSheet(user)}
      <div class="cards">
        <section class="sheet" aria-labelledby="add">
          <h2 id="add">Add two numbers</h2>
          <form method="post" action="/widgets/add" data-busy="Adding …">
            ${numberField('x', 1)} ${numberField('y', 2)}
            <button type="submit">Add</button>
          </form>
        </section>
        <section class="sheet" aria-labelledby="user">
          <h2 id="user">A new user</h2>
          <form method="post" action="/users" data-busy="Creating …">
            <div class="field">
              <label for="email">Mail address</label>
              <input id="email" name="email" type="email" autocomplete="email" maxlength="254" required />
              <small>Gets a welcome, mailed by a run of the same transaction.</small>
            </div>
            <button type="submit">Create</button>
          </form>
        </section>
      </div>
      <section class="sheet" aria-labelledby="widgets">
        <h2 id="widgets">Widgets</h2>
        ${widgets.length === 0 ? html`<p class="soft">None yet.</p>` : widgetTable(widgets)}
        <form method="post" action="/widgets" data-busy="Making …">
          <div class="field">
            <label for="name">Name</label>
            <input id="name" name="name" type="text" maxlength="100" autocomplete="off" required />
          </div>
          <button type="submit">Make a widget</button>
        </form>
        <form method="post" action="/widgets/count" data-busy="Counting …">
          <button class="quiet" type="submit">Count them</button>
        </form>
      </section>
    `,
  }
}

function numberField(name: string, value: number) {
  return html`<div class="field">
    <label for="${name}">${name}</label>
    <input id="${name}" name="${name}" type="number" step="any" value="${value}" required />
  </div>`
}

function runSheet(run: Run) {
  const tone =
    run.state === 'SUCCESS' ? 'good' : run.state === 'FAILURE' || run.state === 'REVOKED' ? 'bad' : ''
  const result = run.state === 'FAILURE' ? run.error?.message : JSON.stringify(run.result)
  return html`<section class="sheet" aria-labelledby="run">
    <h2 id="run">${run.task}</h2>
    <p><span class="chip ${tone}">${run.state}</span> in the queue <code>${run.queue}</code></p>
    ${run.finishedAt !== null && html`<pre><code>${result}</code></pre>`}
  </section>`
}

function userSheet({ email, isWelcomed }: WelcomedUser) {
  return html`<section class="sheet" aria-labelledby="welcome">
    <h2 id="welcome">${maskAddress(email)}</h2>
    <p>
      <span class="chip ${isWelcomed && 'good'}">${isWelcomed ? 'welcomed' : 'waiting for its mail'}</span>
    </p>
  </section>`
}

function widgetTable(widgets: readonly ShownWidget[]) {
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          <th scope="col" class="number">Widget</th>
          <th scope="col">Name</th>
          <th scope="col">Another name</th>
        </tr>
      </thead>
      <tbody>
        ${widgets.map(
          ({ id, name }) =>
            html`<tr>
              <td class="number">${id}</td>
              <td>${name}</td>
              <td>
                <form class="inline" method="post" action="/widgets/${id}/rename">
                  <input
                    name="name"
                    type="text"
                    maxlength="100"
                    aria-label="Another name for widget ${id}"
                    required
                  />
                  <button class="quiet" type="submit">Rename</button>
                </form>
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}
