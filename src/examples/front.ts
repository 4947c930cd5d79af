/**
 * The front page: what is running here and where to go from it.
 */
import { html } from './web/html.ts'
import type { Page } from './web/layout.ts'

export function frontPage(origin: string): Page {
  const call = [
    `curl ${origin}/v1/runs \\`,
    `  -H "Authorization: Bearer $KEY" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d '{"task": "demo.add", "input": {"x": 1, "y": 2}}'`,
  ].join('\n')
  return {
    title: 'Rowbeat',
    path: '/',
    body: html`
      <h1>Rowbeat is running</h1>
      <p class="lead">
        Background tasks, durable results and schedules, on the Postgres you already run. Four small apps show
        how it is used; their code is in <code>src/examples</code>.
      </p>
      <div class="cards">
        <section class="sheet">
          <h2>Books</h2>
          <p>Upload a CSV file and watch its rows arrive, with a bar that moves and a result that stays.</p>
          <p><a class="button" href="/import">Import books</a></p>
        </section>
        <section class="sheet">
          <h2>Orders</h2>
          <p>An order and the mail that confirms it, in one transaction: both happen, or neither.</p>
          <p><a class="button" href="/orders">Place an order</a></p>
        </section>
        <section class="sheet">
          <h2>Widgets</h2>
          <p>Add, count, rename: the tasks of Celery’s example for Django, on two queues.</p>
          <p><a class="button" href="/widgets">Try widgets</a></p>
        </section>
        <section class="sheet">
          <h2>To-do</h2>
          <p>A REST API with owners, tokens, pages and throttling, whose log a worker writes.</p>
          <p><a class="button" href="/todo">See the list</a></p>
        </section>
      </div>
      <section class="sheet" aria-labelledby="panel">
        <h2 id="panel">The panel</h2>
        <p>Every run, queue, worker and schedule, live, and what to do when one of them stands still.</p>
        <p><a class="button" href="/admin">Open the panel</a></p>
      </section>
      <section class="sheet" aria-labelledby="api">
        <h2 id="api">The REST API</h2>
        <p>
          Any language can ask for a run. The key is <code>apiKey</code> in <code>credentials.json</code>, in
          the data directory (<code>.rowbeat/</code>).
        </p>
        <pre><code>${call}</code></pre>
        <p>
          The answer names the run; ask for it at <code>/v1/runs/{id}</code>, or follow it at
          <code>/v1/runs/{id}/events</code>.
        </p>
      </section>
    `,
  }
}
