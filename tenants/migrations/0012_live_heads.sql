-- The heads of many streams of any workspaces in one call: readers' processes compare them every few seconds, so that a
-- lost wake-up delays an event and never loses it. Epochs and counters only: no event and no id that was not asked for.

CREATE FUNCTION portal_live_heads(wanted_workspaces uuid[], wanted_streams uuid[])
    RETURNS TABLE (workspace_id uuid, stream_id uuid, epoch uuid, staff_head bigint, public_head bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT s.workspace_id, s.stream_id, s.epoch, s.staff_head, s.public_head
    FROM unnest(wanted_workspaces, wanted_streams) AS wanted (workspace_id, stream_id)
    JOIN live_stream s ON s.workspace_id = wanted.workspace_id AND s.stream_id = wanted.stream_id
$$;
