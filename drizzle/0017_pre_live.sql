-- Whether notifications reach a worker. One that they do not reach (a pooler in transaction mode stands between) works all the same: it looks about once a
-- second, and its runs begin that much later. Nobody would notice otherwise, so the problems tell it.
alter table rowbeat.workers add column listening boolean;
comment on column rowbeat.workers.listening is 'Whether notifications reach it; false: it finds work by looking, about once a second. null: not known yet.';
