/** What the document has before the panel's own script runs: AdminJS, which draws what is registered with it. */
declare const AdminJS: { UserComponents: Record<string, unknown> }
