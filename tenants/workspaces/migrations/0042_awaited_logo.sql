-- The job that fetches the logo which was asked for last; null: none is awaited.
ALTER TABLE workspace ADD COLUMN awaited_logo uuid;
