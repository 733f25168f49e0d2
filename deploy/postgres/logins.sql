-- Gives every context a login user of its own, fillstream_<context>, that can take the context's two roles and nothing
-- else. Runs after `fillstream migrate`, which makes the roles; may be repeated, and then sets the password anew.
-- The password comes as the setting fillstream.service_password (PGOPTIONS="-c fillstream.service_password=...").
DO $$
DECLARE
    context text;
    login   text;
BEGIN
    FOR context IN
        SELECT s.nspname FROM pg_namespace s
        JOIN pg_roles api ON api.rolname = s.nspname || '_api'
        JOIN pg_roles worker ON worker.rolname = s.nspname || '_worker'
        ORDER BY 1
    LOOP
        login := 'fillstream_' || context;
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
            -- NOINHERIT: without taking a role on purpose, it may do nothing.
            EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT', login);
        END IF;
        EXECUTE format('ALTER ROLE %I PASSWORD %L', login, current_setting('fillstream.service_password'));
        EXECUTE format('GRANT %I, %I TO %I', context || '_api', context || '_worker', login);
    END LOOP;
END
$$;
