"""The platform: code of a multi-tenant service that does not depend on invoices."""
