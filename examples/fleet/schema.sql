-- The offers to stop, and what became of each:
--   insert into stops (publisher, offer) values ('contoso', 'vm');
create table if not exists stops (
  publisher   text not null,
  offer       text not null,
  operation   text,         -- id of what is to be canceled, known before a cancel is sent
  location    text,         -- where that operation can be polled
  outcome     text,         -- the workflow's word, or 'error'; null: still to be done
  may_publish boolean,      -- null: nobody could tell
  error       text,         -- why the last try brought no outcome
  worker      uuid,         -- who has it,
  lease       timestamptz not null default '-infinity',  -- and until when
  primary key (publisher, offer)
);
create index if not exists stops_to_do on stops (lease) where outcome is null;
