"""The press: one supervised Chromium, shut in, that prints documents to PDF; and what finishes them."""
