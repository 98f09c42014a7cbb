-- purpose: leave out names, as some were given since the backup: 4MOST may have them for other objects
-- params: names bigint (so many, of each year)

UPDATE name_counter SET used = name_counter.used + %(names)s::bigint;
