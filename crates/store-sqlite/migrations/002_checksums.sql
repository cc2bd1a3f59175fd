-- A checksum beside each value; NULL in rows of the time before. It covers the value and the place where it belongs.
ALTER TABLE doc ADD COLUMN sum INTEGER;
ALTER TABLE map ADD COLUMN sum INTEGER;
ALTER TABLE log ADD COLUMN sum INTEGER;
