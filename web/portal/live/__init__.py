"""What a page follows its invoice by: tickets for the hub, and the long poll."""
