-- Workspaces, their portal domains and the images of their brand.

CREATE TABLE workspace (
    workspace_id uuid NOT NULL PRIMARY KEY,
    slug text NOT NULL CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    name text NOT NULL CHECK (name <> '' AND char_length(name) <= 200),
    locale text NOT NULL CHECK (locale <> ''),
    time_zone text NOT NULL CHECK (time_zone <> ''),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    brand_colour text NOT NULL CHECK (brand_colour ~ '^#[0-9a-f]{6}$'),
    contact_line text NOT NULL DEFAULT '' CHECK (char_length(contact_line) <= 200),
    logo_sha256 text,
    payment_days integer NOT NULL CHECK (payment_days BETWEEN 0 AND 365),
    link_days integer NOT NULL CHECK (link_days BETWEEN 0 AND 3650),
    -- Where the CNAME of the workspace's own domains points: random, so that it does not reveal the workspace.
    cname_label text NOT NULL CHECK (cname_label ~ '^[a-z0-9]{16,63}$'),
    -- Encrypts the workspace's secrets; itself encrypted by a key from the environment.
    data_key bytea NOT NULL,
    -- The job that fetches the logo that was requested last; null: none is being fetched.
    awaited_logo uuid,
    created_at timestamptz NOT NULL
);

-- A slug is a public name already: the label of a host. Nothing else that can be guessed is unique across workspaces.
CREATE UNIQUE INDEX workspace_slug ON workspace (slug);

CREATE TABLE brand_asset (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    content_type text NOT NULL CHECK (content_type IN ('image/png')),
    width integer NOT NULL CHECK (width BETWEEN 1 AND 4096),
    height integer NOT NULL CHECK (height BETWEEN 1 AND 4096),
    data bytea NOT NULL CHECK (octet_length(data) BETWEEN 1 AND 2097152),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, sha256)
);

ALTER TABLE workspace
    ADD CONSTRAINT workspace_logo FOREIGN KEY (workspace_id, logo_sha256)
    REFERENCES brand_asset (workspace_id, sha256);

CREATE TABLE portal_domain (
    workspace_id uuid NOT NULL REFERENCES workspace (workspace_id),
    domain_id uuid NOT NULL,
    -- Canonical: lower case, A-labels, no port, no trailing dot.
    host text NOT NULL CHECK (host ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$'),
    state text NOT NULL CHECK (state IN ('claimed', 'verified', 'issuing', 'active', 'degraded', 'released')),
    is_primary boolean NOT NULL DEFAULT false,
    verify_token text NOT NULL,
    claimed_at timestamptz NOT NULL,
    verified_at timestamptz,
    checked_at timestamptz,
    released_at timestamptz,
    PRIMARY KEY (workspace_id, domain_id),
    CONSTRAINT portal_domain_host_key UNIQUE (workspace_id, host),
    CONSTRAINT portal_domain_primary_state CHECK (NOT is_primary OR state IN ('active', 'degraded')),
    CONSTRAINT portal_domain_verified CHECK (state = 'claimed' OR verified_at IS NOT NULL),
    CONSTRAINT portal_domain_released CHECK ((state = 'released') = (released_at IS NOT NULL))
);

-- Any workspace may claim any host; only one may have verified it. A released host stays reserved until it is
-- purged, so that no other workspace takes over links that still circulate.
CREATE UNIQUE INDEX portal_domain_host ON portal_domain (host) WHERE state <> 'claimed';
CREATE UNIQUE INDEX portal_domain_primary ON portal_domain (workspace_id) WHERE is_primary;

-- Finds the workspace of a host. A public page has no other way to the workspace that it binds.
CREATE FUNCTION portal_workspace_by_host(wanted_host text)
    RETURNS TABLE (
        workspace_id uuid, slug text, name text, locale text, time_zone text, currency text, brand_colour text,
        contact_line text, logo_sha256 text, logo_width integer, logo_height integer, payment_days integer,
        link_days integer, host text, primary_host text
    )
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT w.workspace_id, w.slug, w.name, w.locale, w.time_zone, w.currency, w.brand_colour,
           w.contact_line, w.logo_sha256, a.width, a.height, w.payment_days,
           w.link_days, d.host, p.host
    FROM portal_domain d
    JOIN workspace w ON w.workspace_id = d.workspace_id
    LEFT JOIN portal_domain p ON p.workspace_id = d.workspace_id AND p.is_primary
    LEFT JOIN brand_asset a ON a.workspace_id = w.workspace_id AND a.sha256 = w.logo_sha256
    WHERE d.host = wanted_host AND d.state IN ('active', 'degraded')
$$;
