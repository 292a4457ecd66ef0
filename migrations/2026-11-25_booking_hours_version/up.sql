-- Rises whenever the hours of a calendar change, whoever changes them: one number says whether an answer about
-- free time is still of today's hours (docs/adr/0007-remembered-availability.md).
ALTER TABLE calendars ADD COLUMN hours_version {INT} NOT NULL DEFAULT 0;

{SQLITE}
CREATE TRIGGER opening_rules_added AFTER INSERT ON opening_rules BEGIN
    UPDATE calendars SET hours_version = hours_version + 1 WHERE tenant_id = NEW.tenant_id AND id = NEW.calendar_id;
END;
CREATE TRIGGER opening_rules_changed AFTER UPDATE ON opening_rules BEGIN
    UPDATE calendars SET hours_version = hours_version + 1
    WHERE tenant_id = NEW.tenant_id AND id IN (OLD.calendar_id, NEW.calendar_id);
END;
CREATE TRIGGER opening_rules_removed AFTER DELETE ON opening_rules BEGIN
    UPDATE calendars SET hours_version = hours_version + 1 WHERE tenant_id = OLD.tenant_id AND id = OLD.calendar_id;
END;
CREATE TRIGGER opening_exceptions_added AFTER INSERT ON opening_exceptions BEGIN
    UPDATE calendars SET hours_version = hours_version + 1 WHERE tenant_id = NEW.tenant_id AND id = NEW.calendar_id;
END;
CREATE TRIGGER opening_exceptions_changed AFTER UPDATE ON opening_exceptions BEGIN
    UPDATE calendars SET hours_version = hours_version + 1
    WHERE tenant_id = NEW.tenant_id AND id IN (OLD.calendar_id, NEW.calendar_id);
END;
CREATE TRIGGER opening_exceptions_removed AFTER DELETE ON opening_exceptions BEGIN
    UPDATE calendars SET hours_version = hours_version + 1 WHERE tenant_id = OLD.tenant_id AND id = OLD.calendar_id;
END;
CREATE TRIGGER closures_added AFTER INSERT ON closures BEGIN
    UPDATE calendars SET hours_version = hours_version + 1 WHERE tenant_id = NEW.tenant_id;
END;
CREATE TRIGGER closures_changed AFTER UPDATE ON closures BEGIN
    UPDATE calendars SET hours_version = hours_version + 1 WHERE tenant_id = NEW.tenant_id;
END;
CREATE TRIGGER closures_removed AFTER DELETE ON closures BEGIN
    UPDATE calendars SET hours_version = hours_version + 1 WHERE tenant_id = OLD.tenant_id;
END;
{/SQLITE}
{POSTGRES}
CREATE FUNCTION hours_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A row that is not there is NULL, and compares with nothing.
    IF TG_TABLE_NAME = 'closures' THEN
        UPDATE calendars SET hours_version = hours_version + 1 WHERE tenant_id IN (OLD.tenant_id, NEW.tenant_id);
    ELSE
        UPDATE calendars SET hours_version = hours_version + 1
        WHERE tenant_id IN (OLD.tenant_id, NEW.tenant_id) AND id IN (OLD.calendar_id, NEW.calendar_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER opening_rules_changed AFTER INSERT OR UPDATE OR DELETE ON opening_rules
    FOR EACH ROW EXECUTE FUNCTION hours_changed();
CREATE TRIGGER opening_exceptions_changed AFTER INSERT OR UPDATE OR DELETE ON opening_exceptions
    FOR EACH ROW EXECUTE FUNCTION hours_changed();
CREATE TRIGGER closures_changed AFTER INSERT OR UPDATE OR DELETE ON closures
    FOR EACH ROW EXECUTE FUNCTION hours_changed();
{/POSTGRES}
