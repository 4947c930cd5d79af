/**
 * The page of the to-do list: the latest tasks and the latest lines of their log, for who looks in. Whatever
 * writes is the API's, by token.
 */
import { html } from '../web/html.ts'
import type { Page } from '../web/layout.ts'
import type { ShownTask } from './listing.ts'

export interface LogLine {
  id: number
  taskId: number
  event: 'created' | 'updated' | 'deleted'
  message: string
  at: Date
}

export function todoPage(latest: readonly ShownTask[], lines: readonly LogLine[], origin: string): Page {
  return {
    title: 'To-do',
    path: '/todo',
    body: html`
      <h1>To-do</h1>
      <p class="lead">
        A list of tasks as a REST API: owners, JSON Web Tokens, filters, pages and throttling. That a task was
        made is logged by a run of the same transaction: stop the worker and the line waits for the next one.
      </p>
      <section class="sheet" aria-labelledby="latest">
        <h2 id="latest">Latest tasks</h2>
        ${latest.length === 0 ? html`<p class="soft">None yet.</p>` : taskTable(latest)}
        <p>The list itself is <a href="/tasks/">/tasks/</a>, five to a page.</p>
      </section>
      <section class="sheet" aria-labelledby="log">
        <h2 id="log">Log</h2>
        ${lines.length === 0 ? html`<p class="soft">Nothing yet.</p>` : logTable(lines)}
      </section>
      <section class="sheet" aria-labelledby="how">
        <h2 id="how">Write to it</h2>
        <p>Make yourself a user, sign in, and add a task with the token of the answer:</p>
        <pre><code>${callsTo(origin)}</code></pre>
      </section>
    `,
  }
}

function callsTo(origin: string): string {
  return [
    `curl ${origin}/users --json '{"username": "ada", "email": "ada@example.net", "password": "…"}'`,
    `curl ${origin}/api/token/ --json '{"username": "ada", "password": "…"}'`,
    `curl ${origin}/tasks/ --json '{"title": "Water the plants"}' -H "Authorization: Bearer <access>"`,
  ].join('\n')
}

function taskTable(latest: readonly ShownTask[]) {
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          <th scope="col" class="number">Task</th>
          <th scope="col">Title</th>
          <th scope="col">Owner</th>
          <th scope="col">State</th>
        </tr>
      </thead>
      <tbody>
        ${latest.map(
          ({ id, title, owner, completed }) =>
            html`<tr>
              <td class="number">${id}</td>
              <td>${title}</td>
              <td>${owner}</td>
              <td><span class="chip ${completed && 'good'}">${completed ? 'done' : 'open'}</span></td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

function logTable(lines: readonly LogLine[]) {
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          <th scope="col">What</th>
          <th scope="col">When</th>
        </tr>
      </thead>
      <tbody>
        ${lines.map(
          ({ at, message }) =>
            html`<tr>
              <td>${message}</td>
              <td>
                <time datetime="${at.toISOString()}">${at.toISOString().slice(0, 16).replace('T', ' ')}</time>
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}
