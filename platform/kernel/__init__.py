"""The platform: what any multi-tenant service needs; knows nothing of invoices."""
