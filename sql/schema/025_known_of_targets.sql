-- purpose: let 4MOST be told redshift and reddening of a target as soon as a broker says them
-- needs: annotation, note_changed_objects
-- makes: triggers that note a change

-- Annotations are only added.
CREATE TRIGGER note_inserted AFTER INSERT ON annotation
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_objects();
