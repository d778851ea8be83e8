"""The one document: render model, template and style of page, preview and PDF."""
