"""Gateway processes: they hold the clients and know their uids and groups."""
