"""Gateway processes: they hold the clients and know who is who."""
