-- Instants that did not fire are few, and what is asked for most among the firings of all schedules: which were skipped, which missed.
create index firings_unfired on rowbeat.firings (due_at, schedule_id) where state <> 'fired';
