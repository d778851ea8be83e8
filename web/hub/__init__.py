"""The hub: sends readers of invoices what happens, over websockets; it takes nothing from them."""
